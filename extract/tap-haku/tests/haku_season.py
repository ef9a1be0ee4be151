"""Haku's streams, and what only its season can be asked."""

from __future__ import annotations

from tap_testing.runs import Target
from tap_testing.season import Season

KEYS = {
    "events": ("event_id",),
    "categories": ("event_id", "category_id"),
    "participants": ("event_id", "registration_number"),
    "registrations": ("event_id", "registration_number"),
}
STREAMS = tuple(KEYS)
# Streams that the sandbox holds as such; categories come inside registrations.
HELD = ("events", "participants", "registrations")
# Today's event of Harbour Timing, and the one in August, whose days of grace are over.
LIVE, PAST = "19008", "19010"


class HakuSeason(Season):
    provider = "haku"

    def numbers(self, event_id: str = LIVE) -> list[str]:
        """Return the registration numbers of an event, in an order of no meaning."""
        found = self.holds("participants", context=1)
        return [one["record"]["registration_number"] for one in found if str(one["event_id"]) == event_id]


class HakuTarget(Target):
    keys = KEYS
    held = HELD
