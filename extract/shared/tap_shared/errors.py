"""What can end a call, a stream or a run, each told in one line for the person who must act."""

# ruff: noqa: N818 - each name says what happened

from __future__ import annotations


class TapError(Exception):
    """Anything a tap reports; its text is one line and holds no secret."""

    # How many calls it took to find out.
    calls = 0


class StreamStopped(TapError):
    """A stream cannot go on; the other streams can."""

    # Set where every other stream of this credential would meet the same end.
    ends_the_run = False


class ShapeChanged(StreamStopped):
    """The provider's answers no longer look as documented."""


class CredentialsRefused(StreamStopped):
    """The provider does not accept who we say we are."""


class LimitReached(StreamStopped):
    """The calls of this hour are used up."""

    ends_the_run = True


class Gone(TapError):
    """What was asked for is no longer there; a stream decides what that means."""


class TapFailed(TapError):
    """At least one stream stopped; the text says which and why."""


class Stopped(BaseException):
    """Somebody asked the tap to stop (Ctrl-C, SIGTERM)."""

    def __init__(self, signum: int) -> None:
        """Keep the signal, which decides the exit code."""
        super().__init__(signum)
        self.signum = signum
