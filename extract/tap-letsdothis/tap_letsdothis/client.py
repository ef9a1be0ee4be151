"""Calls to Let's Do This: the key, the pages, and where a list ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tap_shared.ahead import Ahead
from tap_shared.errors import ShapeChanged
from tap_shared.http import Answer, Client, Refused
from tap_shared.redaction import redact

# The documented maximum; 100 rows come unless asked for.
PAGE = 500
# How to go on to the next page (letsdothis.md, 4.1): the text allows `next` to be the start of the next page or the
# row before it. A page that begins behind the last row's own id, or with it once more, skips nothing either way.
AUTO, NEXT, LAST_ROW = CURSORS = ("auto", "next", "last_row")


class LetsDoThisClient(Client):
    """One key of one organiser."""

    provider = "letsdothis"

    def __init__(self, *, api_key: str, **common: Any) -> None:
        """Keep the key, and keep it out of every line."""
        super().__init__(**common)
        redact.conceal([api_key])
        self._key = api_key

    def credential_settings(self) -> tuple[str, ...]:
        """Return what to check when the provider refuses us."""
        return ("api_key",)

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the key, which is a token by itself: there is none to ask for."""
        headers["Authorization"] = f"Bearer {self._key}"

    def inspect(self, status: int, data: Any, headers: Mapping[str, str]) -> None:
        """Tell what a parameter is refused for; assumed: the body of an error is the framework's own."""
        if status == 400 and isinstance(data, dict):
            raise Refused(redact(f"the call was refused (400 {data.get('message')!r})")[:200])

    def retry_after(self, headers: Mapping[str, str]) -> float | None:
        """Return the pause that the provider asks for; assumed: `x-ratelimit-reset` are seconds."""
        asked = super().retry_after(headers)
        reset = (headers.get("x-ratelimit-reset") or "").strip()
        return float(reset) if asked is None and reset.isdecimal() else asked

    def page(self, path: str, params: Mapping[str, Any], cursor: str | None, *, stream: str) -> Page:
        """Return one page of a list: the first one, or the one that a cursor leads to."""
        query = dict(params) if cursor is None else {**params, "page[after]": cursor}
        answer = self.get(path, query, stream=stream)
        data = answer.data
        rows = data.get("data") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            raise ShapeChanged(
                f"{self.where(stream)}: {answer.url}: the answer holds no list of data: "
                "the provider changed its shape; read its release notes and update the tap"
            )
        page = data.get("page")
        page = page if isinstance(page, dict) else {}
        total, following = page.get("totalResults"), page.get("next")
        return Page(
            rows,
            answer,
            total=total if type(total) is int else None,
            # Documented as null at the end; the examples have an empty text.
            next=str(following) if following not in (None, "") else None,
        )


@dataclass(slots=True)
class Page:
    """One page of a list."""

    rows: list[Any]
    answer: Answer
    # Of the whole list, as this answer has it.
    total: int | None
    next: str | None


@dataclass(slots=True)
class Pass:
    """What going through a list once came to."""

    size: int
    ids: set[str] = field(default_factory=set)
    keyless: int = 0
    pages: int = 0
    total: int | None = None

    @property
    def met(self) -> int:
        """Return how many different rows were met."""
        return len(self.ids) + self.keyless

    @property
    def is_short(self) -> bool:
        """Tell whether the provider counts more rows than were met."""
        return self.total is not None and self.met < self.total

    def take(self, page: Page) -> bool:
        """Count a page; tell whether it held anything new."""
        before = self.met
        for row in page.rows:
            if (row_id := id_of(row)) is None:
                self.keyless += 1
            else:
                self.ids.add(row_id)
        self.pages += 1
        self.total = page.total
        return self.met > before

    def cursor_after(self, page: Page, used: str | None, how: str, *, is_new: bool) -> str | None:
        """Return the cursor of the page after this one; None at the end.

        The end is told in many ways: null, an empty text, the cursor just used, a page without anything new. In the
        vendor's examples a list of one row has a `next`: what has all rows is at its end whatever it says.
        """
        enough = len(page.rows) < self.size if self.total is None else not self.is_short
        if page.next is None or not is_new or enough:
            return None
        cursor = page.next
        if how == LAST_ROW:
            cursor = next((row_id for row in reversed(page.rows) if (row_id := id_of(row)) is not None), cursor)
        return None if cursor == used else cursor


def id_of(row: Any) -> str | None:
    """Return a row's id; None where it has none."""
    found = row.get("id") if isinstance(row, dict) else None
    return found if isinstance(found, str) and found else None


def pages(
    client: LetsDoThisClient, path: str, params: Mapping[str, Any], found: Pass, how: str, ahead: Ahead, stream: str
) -> Iterator[Page]:
    """Yield the pages of a list, the next one being fetched while one is written; `found` counts them."""
    cursor: str | None = None
    asked = {"page[size]": found.size, **params}
    page = client.page(path, asked, None, stream=stream)
    while True:
        is_new = found.take(page)
        cursor = found.cursor_after(page, cursor, how, is_new=is_new)
        coming = None
        if cursor is not None:
            coming = ahead.soon(partial(client.page, path, asked, cursor, stream=stream))
        yield page
        if coming is None:
            return
        page = coming.result()
