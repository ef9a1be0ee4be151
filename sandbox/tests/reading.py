"""Reading a stream page by page, as a client of its provider would: what the common suite asks of each provider.

`pages_<name>.py` beside this has `read(client, partner, stream, size)`: it returns every record of the stream that the
partner's account can read, complete, in pages of `size` where the provider has pages, and raises RefusedError where
the provider does not let it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

Read = Callable[[Any, int, str, int], list[dict[str, Any]]]


class RefusedError(Exception):
    """The provider refused a call."""


def reader(name: str) -> Read:
    """Return the function that reads a provider's streams."""
    found: Read = importlib.import_module(f"sandbox.tests.pages_{name}").read
    return found
