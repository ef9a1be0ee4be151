"""Calls to Haku: address, sign-in, pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tap_shared.ahead import Ahead
from tap_shared.errors import ShapeChanged, StreamStopped
from tap_shared.http import Answer, Client, Denied, Refused
from tap_shared.redaction import redact

from tap_haku.auth import NEEDS, sign_in

# Where every page is full for ever; a quarter of a million rows are no list of ours.
MOST_PAGES = 10_000
# OAuth's words for a client that is not accepted (assumed to be the standard ones: haku.md, 2.1).
NOT_ACCEPTED = frozenset({"invalid_client", "invalid_grant", "unauthorized_client"})
# The gateway's words for a route that it does not have, which it tells with 403 (documented by AWS).
NO_ROUTE = "Missing Authentication Token"


@dataclass(slots=True)
class Page:
    """One page of a list."""

    rows: list[Any]
    number: int
    answer: Answer


class HakuClient(Client):
    """One organisation's credentials at Haku."""

    provider = "haku"
    # Nothing secret travels in a query; these are here in case somebody puts it there.
    secret_params = ("api_key", "api_secret", "client_secret", "access_token")

    def __init__(self, config: Mapping[str, Any], **common: Any) -> None:
        """Choose the way to sign in; nothing is called yet."""
        super().__init__(**common)
        self._config = config
        # Which stream a thread is calling for: a token is asked for on the way, and its errors name the stream too.
        self._calling = threading.local()
        self._sign_in = sign_in(config, self._get_token)

    def credential_settings(self) -> tuple[str, ...]:
        """Return the settings to check when we are refused."""
        return NEEDS[self._config["auth_method"]]

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the credentials."""
        self._sign_in.sign(params, headers)

    def renew(self) -> bool:
        """Get a new token where tokens are used."""
        return self._sign_in.renew()

    def inspect(self, status: int, data: Any, headers: Mapping[str, str]) -> None:
        """Tell what the two kinds of error bodies mean (all assumed: haku.md, section 6)."""
        if status < 400 or status in (401, 404, 429) or not isinstance(data, dict):
            return
        if data.get("error") in NOT_ACCEPTED:
            raise Denied(f"the client is not accepted ({data['error']})")
        if status == 403 and data.get("message") == NO_ROUTE:
            raise Refused("there is no such route (403)", advice="check setting api_url")
        errors = data.get("errors")
        if status in (400, 422) and isinstance(errors, dict):
            told = redact(f"the call was refused ({status}): {errors}")[:200]
            raise Refused(told, advice="check setting page_size" if "per_page" in errors else "")

    def call(self, method: str, path: str, *, stream: str = "", **more: Any) -> Answer:
        """Return the answer to a call."""
        self._calling.stream = stream
        return super().call(method, path, stream=stream, **more)

    def _get_token(self, form: dict[str, Any], headers: dict[str, str]) -> Any:
        # On another host than the API. A client's own credentials go there as Basic, the grant as a form.
        stream = getattr(self._calling, "stream", "")
        url = self._config["token_url"]
        return self.call("POST", url, form=form, headers=headers, signed=False, stream=stream).data

    def page(self, path: str, key: str, params: Mapping[str, Any], number: int, stream: str) -> Page:
        """Return one page of a list: a bare array, or the array under `key`."""
        answer = self.get(path, {**params, "page": number}, stream=stream)
        data = answer.data
        rows = data.get(key) if isinstance(data, dict) else data
        if not isinstance(rows, list):
            raise ShapeChanged(
                f"{self.where(stream)}: {answer.url}: the answer holds no list of {key}: the provider changed its "
                "shape; read its release notes and update the tap"
            )
        return Page(rows, number, answer)


def pages(
    first: Page, fetch: Callable[[int], Page], ahead: Ahead, is_enough: Callable[[Page], bool] = lambda page: False
) -> Iterator[Page]:
    """Yield the pages of a list in order, the next one being fetched while one is written.

    Only an empty page is the end: a page is silently capped at 25 rows, so that one with fewer rows than were asked
    for says nothing (haku.md, section 4). A page that says the same as the one before ends the list too: that is a
    server which ignores page numbers. So does one that is `is_enough`.
    """
    page = first
    while True:
        if page.number >= MOST_PAGES:
            raise StreamStopped(f"haku: {page.answer.url}: {MOST_PAGES} pages and no end: report it to the provider")
        coming = ahead.soon(partial(fetch, page.number + 1)) if page.rows and not is_enough(page) else None
        yield page
        if coming is None:
            return
        before, page = page, coming.result()
        if page.rows and page.rows == before.rows:
            return
