"""The streams of Example: mostly their columns."""

from __future__ import annotations

from tap_shared.columns import Column, Record

from tap_example.columns import key, text, value
from tap_example.reading import AccountStream, EventStream

# TODO: the documented values; others are kept as sent and told once.
STATUSES = frozenset({"registered", "cancelled"})


class Events(AccountStream):
    """One row per event."""

    name = "events"
    primary_keys = ("timing_partner_id", "event_id")
    columns = (
        key("event_id", "id", "The provider's id"),
        text("name", "name", "As the organiser calls it", sent=True),
        value("starts_at", "instant", "starts_at", "When it begins", sent=True),
        value("ends_at", "instant", "ends_at", "When it ends"),
        text("timezone", "timezone", "IANA name"),
        text("city", "city"),
        text("country", "country"),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse an event that ends before it starts."""
        starts, ends = row["starts_at"], row["ends_at"]
        # Both are UTC in one format, so their texts compare like the instants.
        if starts is not None and ends is not None and ends < starts:
            return "ends_at", "ends before it starts"
        return None


class Participants(EventStream):
    """One row per entry."""

    name = "participants"
    path = "participants"
    primary_keys = ("timing_partner_id", "participant_id")
    columns = (
        key("participant_id", "id", "The provider's id"),
        Column("event_id", "text", "The event asked for", given=True),
        text("first_name", "first_name", sent=True),
        text("last_name", "last_name", sent=True),
        text("email", "email"),
        text("gender", "gender"),
        value("birth_date", "date", "birth_date"),
        text("bib", "bib", "As printed"),
        text("status", "status", sent=True, known=STATUSES),
        value("registered_at", "instant", "registered_at"),
    )
