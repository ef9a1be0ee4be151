"""What a person must act on."""


class ActionNeeded(Exception):  # noqa: N818
    """One line for the person who must act: what, where, which partner and provider, and the way out."""
