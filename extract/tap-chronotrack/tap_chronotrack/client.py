"""Calls to ChronoTrack Live: address, sign-in, pages."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from tap_shared.ahead import Ahead
from tap_shared.errors import CredentialsRefused, ShapeChanged, TapError
from tap_shared.http import Answer, Client, Known

from tap_chronotrack.auth import NEEDS, sign_in

HEADER = "X-Ctlive-"
# Where no header says how many pages there are; 10 million rows are no page of ours.
MOST_PAGES = 10_000
PAGES_AHEAD = 2


class EventUnreadable(TapError):  # noqa: N818 - named for what it says, as in tap_shared.errors
    """One event cannot be read; the others can."""


class NotAllowed(Exception):  # noqa: N818 - a judgement on one answer
    """A 403 for one thing by credentials that are good for others."""


@dataclass(slots=True)
class Page:
    """One page of a list."""

    # None where the answer is known and not decoded.
    rows: list[Any] | None
    number: int
    # Of the whole list, where the provider tells.
    pages: int | None
    row_count: int | None
    size: int
    answer: Answer

    @property
    def is_last(self) -> bool:
        """Tell whether nothing follows."""
        if self.pages is not None:
            return self.number >= self.pages
        # Only where headers tell is a page not decoded.
        return len(self.rows or ()) < self.size or self.number >= MOST_PAGES

    @property
    def last_modified(self) -> str | None:
        """Return what to send back as last_modified to learn what changed after this answer."""
        return self.answer.headers.get("Last-Modified") or self.answer.headers.get("Date")


class ChronoTrackClient(Client):
    """One account of ChronoTrack Live."""

    provider = "chronotrack"
    # The e-mail is no secret, but a person's address has no place in a log either.
    secret_params = ("user_id", "username", "user_pass", "password", "refresh_token", "access_token")

    def __init__(self, config: Mapping[str, Any], **common: Any) -> None:
        """Choose the way to sign in; nothing is called yet."""
        super().__init__(**common)
        self._config = config
        # Which stream a thread is calling for: a token is asked for on the way, and its errors name the stream too.
        self._calling = threading.local()
        self._sign_in = sign_in(config, self._get_token)

    def credential_settings(self) -> tuple[str, ...]:
        """Return the settings to check when we are refused."""
        return ("client_id", *NEEDS[self._config["auth_method"]])

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add client_id, which every way wants, and the credentials."""
        params["client_id"] = self._config["client_id"]
        self._sign_in.sign(params, headers)

    def renew(self) -> bool:
        """Get a new token where tokens are used."""
        return self._sign_in.renew()

    def inspect(self, status: int, data: Any, headers: Mapping[str, str]) -> None:
        """Tell a 403 for one event from one for the account."""
        # assumed (chronotrack.md): 403 means no right to this event. As the first answer ever it means us.
        if status == 403 and self.accepted:
            raise NotAllowed

    def call(self, method: str, path: str, *, stream: str = "", **more: Any) -> Answer:
        """Return the answer to a call."""
        self._calling.stream = stream
        return super().call(method, path, stream=stream, **more)

    def _get_token(self, params: dict[str, Any], headers: dict[str, str]) -> Any:
        # The token endpoint lies beside /api. It is a GET with the password in the query: never shown.
        url = f"{self.api_url.removesuffix('/api')}/oauth2/token"
        stream = getattr(self._calling, "stream", "")
        return self.call("GET", url, params=params, headers=headers, signed=False, stream=stream).data

    def page(
        self, path: str, key: str, params: Mapping[str, Any], number: int, size: int, stream: str, scope: str = "",
        known: Known | None = None,
    ) -> Page:  # fmt: skip
        """Return one page of the list under `key`; its rows are left out where it is known."""
        # Never a slash before the question mark: it breaks the call. elide_json is documented for entries;
        # assumed (chronotrack.md) to be heeded or passed over elsewhere: an empty field is not a vanished one.
        query = {"format": "json", "elide_json": "false", **params, "page": number, "size": size}
        try:
            answer = self.get(path, query, stream=stream, known=known)
        except NotAllowed:
            told = f"{self.where(stream)}: GET {self.api_url}/{path}: not allowed (403)"
            if not scope:
                names = ", ".join(self.credential_settings())
                raise CredentialsRefused(f"{told}: check settings {names}") from None
            raise EventUnreadable(
                f"{told}: ask the event's owner for access; its rows stay as they were last read"
            ) from None
        headers = answer.headers
        told_pages, told_number = (_number(headers.get(f"{HEADER}{name}")) for name in ("Page-Count", "Current-Page"))
        rows, about = None, {}
        if answer.unread is None or told_pages is None or told_number is None:
            rows = self.rows_of(answer, key, stream, scope)
            about = answer.data
        current = told_number or _number(about.get("page"))
        pages = told_pages or _number(about.get("page_count"))
        # What is known is never empty.
        if current is not None and current != number and rows != []:
            raise ShapeChanged(
                f"{self.where(stream)}: {answer.url}: asked for page {number}, got {current}: update the tap"
            )
        return Page(
            rows=rows,
            number=number,
            # An empty page ends the list whatever the headers say.
            pages=number if rows == [] else pages,
            row_count=_number(headers.get(f"{HEADER}Row-Count")),
            # The provider may give smaller pages than asked for; a page of its own size is a full one.
            size=min(size, _number(headers.get(f"{HEADER}Page-Size")) or size),
            answer=answer,
        )

    def rows_of(self, answer: Answer, key: str, stream: str, scope: str = "") -> list[Any]:
        """Return the rows under `key` of an answer."""
        data = answer.read()
        if not isinstance(data, dict) or key not in data:
            told = f"{self.where(stream)}: {answer.url}: the answer has no {key}"
            if scope:
                raise EventUnreadable(
                    f"{told}: event {scope} may be unknown to the provider, its rows stay as they were last read"
                )
            raise ShapeChanged(f"{told}: read the provider's release notes and update the tap")
        rows = data[key]
        if rows is None:
            rows = []
        elif isinstance(rows, dict):
            # assumed: a list of one may come as its only row, as converters from XML do.
            rows = [rows]
        elif not isinstance(rows, list):
            raise ShapeChanged(f"{self.where(stream)}: {answer.url}: {key} is no list: update the tap")
        return rows


def pages(first: Page, fetch: Callable[[int], Page], ahead: Ahead) -> Iterator[Page]:
    """Yield the pages of a list in order, the next ones being fetched while one is written."""
    waiting: deque[Future[Page]] = deque()
    asked = 1
    page = first
    try:
        while True:
            if page.is_last:
                yield page
                return
            # Where the number of pages is known two are under way, else one: it may be the last.
            known = page.pages or asked + 1
            while len(waiting) < PAGES_AHEAD and asked < known:
                asked += 1
                waiting.append(ahead.soon(partial(fetch, asked)))
            yield page
            page = waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
