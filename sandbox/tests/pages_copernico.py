"""Copernico's streams: the list of races, presets, athletes one by one, files by event, the target API by page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sandbox.tests.reading import RefusedError

GENDERS = ("female", "male", "mixed")


def read(client: Any, partner: int, stream: str, size: int) -> list[dict[str, Any]]:
    """Return every record of a stream."""
    account = client.account("copernico", partner)
    if stream in ("brrm_events", "brrm_participants", "rankings_results"):
        return _target(client, account, stream, size)
    if stream == "ranking_files":
        # Only races that tell their catalogue id lead to their files.
        client.control("quirks", {"copernico_rich_races": True})
    races = _data(client, account, f"{account['api_url']}/races")
    if stream == "races":
        return races
    rows: list[dict[str, Any]] = []
    for race in races:
        at = f"{account['api_url']}/races/{race['id']}"
        shown = _get(client, {}, f"{at}/preset/{account['login']}:::full")
        events = sorted({row["event"] for row in shown})
        if stream == "preset":
            rows += shown
        elif stream == "athletes":
            found = [_data(client, account, f"{at}/athlete/{row['id']}/full") for row in shown]
            rows += [one for one in found if one]
        elif stream == "leaders":
            rows += [
                row
                for event in events
                for gender in GENDERS
                for row in _get(client, {}, f"{at}/leaders/{quote(event)}/gender:{gender}")
            ]
        elif stream == "ranking_files":
            root = f"{account['ranking_files_url']}/{race['competitionId']}"
            rows += [row for event in events for row in _get(client, {}, f"{root}/{quote(event)}/participants.json")]
    return rows


def _target(client: Any, account: dict[str, Any], stream: str, size: int) -> list[dict[str, Any]]:
    client.control("quirks", {"copernico_target_api": True})
    events = _pages(client, account, f"{account['target_api_url']}/brrm-api/api/v1/events", size)
    if stream == "brrm_events":
        return events
    service, child = ("brrm-api", "participants") if stream == "brrm_participants" else ("rankings-api", "results")
    root = f"{account['target_api_url']}/{service}/api/v1/events"
    return [row for event in events for row in _pages(client, account, f"{root}/{event['event_id']}/{child}", size)]


def _pages(client: Any, account: dict[str, Any], url: str, size: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = 1
    while True:
        body = _get(client, {"x-api-key": account["api_key"]}, url, page=page, pageSize=size)
        rows += body["data"]
        if page >= body["pagination"]["totalPages"]:
            return rows
        page += 1


def _data(client: Any, account: dict[str, Any], url: str) -> Any:
    return _get(client, {"x-api-key": account["api_key"]}, url)["data"]


def _get(client: Any, headers: dict[str, str], url: str, **query: Any) -> Any:
    answer = client.session.get(url, headers=headers, params=query, timeout=30)
    if answer.status_code != 200:
        raise RefusedError(answer.text)
    return answer.json()
