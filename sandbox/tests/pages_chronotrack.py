"""ChronoTrack's streams, read event by event."""

from __future__ import annotations

from typing import Any

from sandbox.tests.reading import RefusedError

PATHS = {"races": "race", "entries": "entry", "brackets": "bracket", "intervals": "interval", "results": "results"}
ASKED = {"contact_details": "true", "need_athlete_birthdate": "1"}


def read(client: Any, partner: int, stream: str, size: int) -> list[dict[str, Any]]:
    """Return every record of a stream."""
    answer = client.ct("/event", partner)
    if answer.status_code != 200:
        raise RefusedError(answer.text)
    events: list[dict[str, Any]] = client.ct_rows("/event", partner, size)
    if stream == "events":
        return events
    more = {"interval": "ALL"} if stream == "results" else ASKED
    return [
        row
        for event in events
        for row in client.ct_rows(f"/event/{event['event_id']}/{PATHS[stream]}", partner, size, **more)
    ]
