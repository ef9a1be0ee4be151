"""Let's Do This's streams, read from cursor to cursor."""

from __future__ import annotations

from typing import Any

from sandbox.tests.reading import RefusedError


def call(client: Any, path: str, partner: int = 1, key: str | None = None, **query: Any) -> Any:
    """Return an answer; a parameter `page_size` stands for `page[size]`."""
    account = client.account("letsdothis", partner)
    names = {name: f"{name.rpartition('_')[0]}[{name.rpartition('_')[2]}]" for name in query}
    return client.session.get(
        account["api_url"] + path,
        params={names[name]: value for name, value in query.items()},
        headers={"Authorization": f"Bearer {key or account['api_key']}"},
        timeout=30,
    )


def rows(client: Any, path: str, partner: int, size: int, **query: Any) -> list[dict[str, Any]]:
    """Return the rows of all pages, in the way in which `next` is the start of the next page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = call(client, path, partner, page_size=min(size, 500), **query, **cursor)
        if answer.status_code != 200:
            raise RefusedError(answer.text)
        body = answer.json()
        found += body["data"]
        if not body["page"]["next"]:
            return found
        cursor = {"page_after": body["page"]["next"]}


def read(client: Any, partner: int, stream: str, size: int) -> list[dict[str, Any]]:
    """Return every record of a stream."""
    if stream in ("participants", "applications"):
        return rows(client, f"/{stream}", partner, size)
    events = rows(client, "/events", partner, size)
    if stream == "events":
        return events
    occurrences = [occurrence for event in events for occurrence in event["occurrences"]]
    if stream == "occurrences":
        return occurrences
    return [race for occurrence in occurrences for race in occurrence["races"]]
