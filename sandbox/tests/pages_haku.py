"""Haku's streams: the list of events, each event's participants, and a call for each registration."""

from __future__ import annotations

from typing import Any

import requests

from sandbox.tests.reading import RefusedError


def sign_in(client: Any, partner: int) -> dict[str, str]:
    """Return the headers of a partner's calls."""
    account = client.account("haku", partner)
    if account["auth_method"] == "api_key":
        return {"Authorization": f"Bearer {account['api_key']}", "X-API-Secret": account["api_secret"]}
    answer = requests.post(
        account["token_url"],
        data={"grant_type": "client_credentials"},
        auth=(account["client_id"], account["client_secret"]),
        timeout=10,
    )
    if answer.status_code != 200:
        raise RefusedError(answer.text)
    return {"Authorization": answer.json()["access_token"]}


def get(client: Any, partner: int, path: str, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
    """Return an answer to a call, signed in."""
    url = client.account("haku", partner)["api_url"] + path
    answer: requests.Response = client.session.get(
        url, params=query, headers=headers if headers is not None else sign_in(client, partner), timeout=10
    )
    return answer


def rows(client: Any, partner: int, path: str, headers: dict[str, str], **query: Any) -> list[dict[str, Any]]:
    """Return all rows of a list: only an empty page is its end."""
    found: list[dict[str, Any]] = []
    for page in range(1, 10_000):
        answer = get(client, partner, path, headers, page=page, **query)
        if answer.status_code != 200:
            raise RefusedError(answer.text)
        body = answer.json()
        got = body if isinstance(body, list) else next(iter(body.values()))
        if not got:
            return found
        found += got
    raise AssertionError("pages without end")


def read(client: Any, partner: int, stream: str, size: int) -> list[dict[str, Any]]:
    """Return every record of a stream."""
    headers = sign_in(client, partner)
    events = rows(client, partner, "/events", headers, per_page=size, show_inactive="true")
    if stream == "events":
        return events
    listed = [
        (event["id"], row)
        for event in events
        for row in rows(client, partner, f"/events/{event['id']}/participants", headers, per_page=size)
    ]
    if stream == "participants":
        return [row for _, row in listed]
    numbers = [f"/events/{event_id}/registrations/{row['registration_number']}" for event_id, row in listed]
    return [get(client, partner, path, headers).json() for path in numbers]
