"""RunSignUp's streams, read race by race and event by event."""

from __future__ import annotations

from typing import Any

from sandbox.tests.reading import RefusedError

PATHS = {
    "participants": "participants",
    "removed_participants": "removed-participants",
    "results": "results/get-results",
}


def read(client: Any, partner: int, stream: str, size: int) -> list[dict[str, Any]]:
    """Return every record of a stream."""
    races: list[dict[str, Any]] = []
    while True:
        page = len(races) // size + 1
        body = client.rsu("/races", partner, events="T", results_per_page=size, page=page)
        if "error" in body:
            raise RefusedError(body["error"])
        races += [one["race"] for one in body["races"]]
        if len(body["races"]) < size:
            break
    events = [(race["race_id"], event) for race in races for event in race.pop("events")]
    if stream == "races":
        return races
    if stream == "events":
        return [event for _, event in events]
    return [
        row
        for race_id, event in events
        for row in client.rsu_rows(PATHS[stream], race_id, event["event_id"], partner, size, supports_nb="T")
    ]
