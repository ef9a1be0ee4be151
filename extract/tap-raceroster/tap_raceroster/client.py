"""Calls to Race Roster: address, sign-in, pages by offset, and the results service, where nobody signs in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tap_shared.ahead import Ahead
from tap_shared.errors import CredentialsRefused, ShapeChanged, TapError
from tap_shared.http import Answer, Client, Denied, Refused
from tap_shared.redaction import redact

from tap_raceroster.auth import NEEDS, sign_in

# What OAuth says of credentials; raceroster.md, section 6, gives the statuses as assumed.
REFUSALS = frozenset({"invalid_client", "invalid_grant", "unsupported_grant_type", "invalid_request"})


class EventUnreadable(TapError):  # noqa: N818 - named for what it says, as in tap_shared.errors
    """One event cannot be read; the others can."""


class NotAllowed(Exception):  # noqa: N818 - a judgement on one answer
    """A 403 for one thing by credentials that are good for others."""


@dataclass(slots=True)
class Page:
    """One page of a list."""

    rows: list[Any]
    # Of the first row, from 0.
    offset: int
    # How many rows were asked for.
    size: int
    # Of the whole list, where the provider tells.
    row_count: int | None
    answer: Answer

    @property
    def is_last(self) -> bool:
        """Tell whether nothing follows: a page that is not full, or the last row of as many as there are."""
        return len(self.rows) < self.size or self.offset + len(self.rows) == self.row_count


class RaceRosterClient(Client):
    """One account of Race Roster."""

    provider = "raceroster"
    secret_params = ("access_token",)

    def __init__(self, config: Mapping[str, Any], **common: Any) -> None:
        """Choose the way to sign in; nothing is called yet."""
        super().__init__(**common)
        self._config = config
        self.results_url = config["results_url"].rstrip("/")
        # Which stream a thread is calling for: a token is asked for on the way, and its errors name the stream too.
        self._calling = threading.local()
        self._sign_in = sign_in(config, self._get_token)

    def credential_settings(self) -> tuple[str, ...]:
        """Return the settings to check when we are refused."""
        return (*NEEDS[self._config["auth_method"]], "auth_method")

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the credentials."""
        self._sign_in.sign(params, headers)

    def renew(self) -> bool:
        """Get a new token where tokens are used."""
        return self._sign_in.renew()

    def inspect(self, status: int, data: Any, headers: Mapping[str, str]) -> None:
        """Tell refused credentials from a refused call, and a 403 for one event from one for the account."""
        # assumed (raceroster.md, section 6): 403 means no right to this event. As the first answer ever it means us.
        if status == 403 and self.accepted:
            raise NotAllowed
        if status in (400, 401) and isinstance(data, dict):
            if data.get("error") in REFUSALS:
                raise Denied(f"{data['error']} ({status})")
            if status == 400:
                told = redact(str(data.get("message") or data.get("error") or "no reason given"))[:200]
                raise Refused(f"the call was refused (400): {told!r}")

    def call(self, method: str, path: str, *, stream: str = "", **more: Any) -> Answer:
        """Return the answer to a call."""
        self._calling.stream = stream
        return super().call(method, path, stream=stream, **more)

    def _get_token(self, form: dict[str, Any]) -> Any:
        # The address of the sign-in lies beside /v1, not below it.
        url = self._config.get("auth_url") or f"{self.api_url.removesuffix('/v1')}/oauth/authorize"
        stream = getattr(self._calling, "stream", "")
        return self.call("POST", url, form=form, signed=False, stream=stream).data

    def event(self, event_id: str) -> Any:
        """Return the record of one event; None where the answer holds none. Raises Gone and NotAllowed."""
        data = self.get(f"events/{event_id}", stream="events").data
        record = data.get("data") if isinstance(data, dict) else None
        # An object, or an array of one.
        if isinstance(record, list):
            record = record[0] if record else None
        return record if isinstance(record, dict) and record else None

    def public(self, path: str, params: Mapping[str, Any], stream: str) -> Answer:
        """Return an answer of the results service, where nobody signs in."""
        return self.call("GET", f"{self.results_url}/{path}", params=params, signed=False, stream=stream)

    def page(self, path: str, params: Mapping[str, Any], offset: int, size: int, stream: str, scope: str = "") -> Page:
        """Return one page of a list, by offset."""
        window = {"offset": offset, "limit": size}
        return self.page_of(self.listed(path, {**params, **window}, stream, scope), "data", offset, size, stream)

    def listed(self, path: str, params: Mapping[str, Any], stream: str, scope: str = "") -> Answer:
        """Return the answer to a call for rows of an event; raise EventUnreadable where it is not ours to read."""
        try:
            return self.get(path, params, stream=stream)
        except NotAllowed:
            told = f"{self.where(stream)}: GET {self.api_url}/{path}: not allowed (403)"
            if not scope:
                names = ", ".join(self.credential_settings())
                raise CredentialsRefused(f"{told}: check settings {names}") from None
            raise EventUnreadable(
                f"{told}: ask the event's owner for access; its rows stay as they were last read"
            ) from None

    def page_of(self, answer: Answer, key: str, offset: int, size: int, stream: str) -> Page:
        """Return the rows under `key` of an answer, and how many there are in all."""
        data = answer.data
        rows = data.get(key) if isinstance(data, dict) else None
        if not isinstance(rows, list):
            raise ShapeChanged(
                f"{self.where(stream)}: {answer.url}: the answer has no list {key}: "
                "read the provider's release notes and update the tap"
            )
        # `metadata` in the API, `meta` in the results service, `total` in the older profile.
        about = data.get("metadata") or data.get("meta") or {"totalResults": data.get("total")}
        total = about.get("totalResults") if isinstance(about, dict) else None
        return Page(rows, offset, size, total if type(total) is int else None, answer)


def pages(first: Page, fetch: Callable[[int], Page], ahead: Ahead) -> Iterator[Page]:
    """Yield the pages of a list in order, the next one being fetched while one is written."""
    page = first
    while not page.is_last:
        coming = ahead.soon(partial(fetch, page.offset + len(page.rows)))
        try:
            yield page
        except GeneratorExit:
            coming.cancel()
            raise
        page = coming.result()
    yield page
