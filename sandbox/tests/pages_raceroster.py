"""Race Roster's streams, read event by event: those that are listed, and those that the owner names."""

from __future__ import annotations

from typing import Any

from sandbox.tests.reading import RefusedError


def token(client: Any, partner: int) -> str:
    """Return an access token, got in the way that the connection says."""
    account = client.account("raceroster", partner)
    form = {name: account[name] for name in ("client_id", "client_secret")}
    if account["auth_method"] == "timer_login":
        form |= {"grant_type": "access_token", "username": account["username"], "password": account["password"]}
    else:
        form |= {"grant_type": "client_credentials"}
    url = account["api_url"].removesuffix("/v1") + "/oauth/authorize"
    answer = client.session.post(url, data=form, timeout=10)
    if answer.status_code != 200:
        raise RefusedError(answer.text)
    body = answer.json()
    found: str = body.get("data", body)["access_token"]
    return found


def get(client: Any, partner: int, path: str, bearer: str = "", **query: Any) -> Any:
    """Return the answer to a signed call."""
    url = client.account("raceroster", partner)["api_url"] + path
    headers = {"Authorization": f"Bearer {bearer or token(client, partner)}"}
    return client.session.get(url, params=query, headers=headers, timeout=30)


def read(client: Any, partner: int, stream: str, size: int) -> list[dict[str, Any]]:
    """Return every record of a stream."""
    bearer = token(client, partner)

    def pages(path: str, by_number: bool = False) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        most = min(size, 100)
        while True:
            window = {"page": len(rows) // most + 1, "perPage": most} if by_number else {}
            got = get(client, partner, path, bearer, **(window or {"offset": len(rows), "limit": most})).json()["data"]
            rows += got
            if len(got) < most:
                return rows

    events = pages("/events")
    named = client.account("raceroster", partner)["event_ids"]
    events += get(client, partner, "/events", bearer, eventId=named).json()["data"]
    if stream == "events":
        return events
    if stream == "sub_events":
        return [row for event in events for row in event["subEvents"]["data"]]
    return [
        row for event in events for row in pages(f"/events/{event['eventId']}/{stream}", by_number=stream == "results")
    ]
