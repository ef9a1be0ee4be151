"""Calls to Example: the key, the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tap_shared.ahead import Ahead
from tap_shared.errors import ShapeChanged
from tap_shared.http import Answer, Client
from tap_shared.redaction import redact

# TODO: the largest page that the provider documents, with the page and section where it says so.
PAGE = 100


@dataclass(slots=True)
class Page:
    """One page of a list."""

    rows: list[Any]
    answer: Answer
    is_last: bool


class ExampleClient(Client):
    """One key of one account."""

    provider = "example"
    # Query parameters that hold secrets; they are never shown.
    secret_params = ()

    def __init__(self, *, api_key: str, **common: Any) -> None:
        """Keep the key, and keep it out of every line."""
        super().__init__(**common)
        redact.conceal([api_key])
        self._key = api_key

    def credential_settings(self) -> tuple[str, ...]:
        """Return what to check when the provider refuses us."""
        return ("api_key",)

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the key."""
        headers["Authorization"] = f"Bearer {self._key}"

    def page(self, path: str, number: int, size: int, *, stream: str) -> Page:
        """Return one page of a list; the first one is 1."""
        answer = self.get(path, {"page": number, "per_page": size}, stream=stream)
        rows = answer.data.get("data") if isinstance(answer.data, dict) else None
        if not isinstance(rows, list):
            raise ShapeChanged(
                f"{self.where(stream)}: {answer.url}: the answer holds no list of data: "
                "the provider changed its shape; read its release notes and update the tap"
            )
        # ASSUMED: the provider gives as many rows as it is asked for, so a page that is not full is the last one.
        return Page(rows, answer, is_last=len(rows) < size)


def pages(fetch: Callable[[int], Page], ahead: Ahead, first: Page | None = None) -> Iterator[Page]:
    """Yield the pages of a list, the next one being fetched while one is written."""
    page, number = first or fetch(1), 1
    while not page.is_last:
        number += 1
        coming = ahead.soon(partial(fetch, number))
        yield page
        page = coming.result()
    yield page
