"""The streams that every tap has beside its provider's: reads, rejects, removals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tap_shared.clock import as_text
from tap_shared.columns import Column, Record, Reject
from tap_shared.snapshot import canonical
from tap_shared.stream import HubStream, Tally


def _given(name: str, kind: str, description: str) -> Column:
    return Column(name, kind, description, given=True)


def _key(name: str, description: str) -> Column:
    return Column(name, "text", description, given=True, required=True)


class SideStream(HubStream):
    """A stream that others write to; it reads nothing itself."""

    def __init__(self, tap: Any) -> None:
        """Take the record column out where the stream has none."""
        super().__init__(tap)
        if not self.has_record:
            del self.schema["properties"]["record"]

    has_record = False

    def walk(self) -> Iterator[Record]:
        """Yield nothing."""
        yield from ()

    def log_sync_costs(self) -> None:
        """Say nothing: there are no calls of its own."""


class Reads(SideStream):
    """The last read of each stream and scope: how it was made and what it came to."""

    name = "reads"
    primary_keys = ("timing_partner_id", "stream", "scope")
    columns = (
        _key("stream", "The stream that was read"),
        _key("scope", "The event's id, or empty for the whole account"),
        _given("run_id", "text", "The run, as named by setting run_id"),
        _given("provider_clock", "instant", "The provider's clock when it began to answer"),
        _given("mode", "text", "whole, changes or skipped"),
        _given("rows_received", "integer", "Rows in the provider's answers, repeated ones counted again"),
        _given("rows_sent", "integer", "Rows written; less than received where unchanged ones are left out"),
        _given("rows_rejected", "integer", "Rows that went to rejects"),
        _given("rows_removed", "integer", "Rows that were there before and are no longer"),
        _given("rows_at_provider", "integer", "Different rows that the provider holds; null unless whole"),
        _given("calls_made", "integer", "Calls made, tries included"),
        _given("calls_saved", "integer", "Calls that were not needed"),
    )

    def add(self, stream: str, tally: Tally) -> None:
        """Write one read."""
        self.emit(
            {
                "timing_partner_id": self.hub.timing_partner_id,
                "stream": stream,
                "scope": tally.scope,
                "run_id": self.hub.run_id,
                "provider_clock": None if tally.provider_clock is None else as_text(tally.provider_clock),
                "mode": tally.mode,
                "rows_received": tally.received,
                "rows_sent": tally.sent,
                "rows_rejected": tally.rejected,
                "rows_removed": tally.removed,
                "rows_at_provider": tally.at_provider,
                "calls_made": tally.calls,
                "calls_saved": tally.saved,
                "read_at": as_text(self.hub.clock()),
            }
        )


class Rejects(SideStream):
    """Records that could not be delivered, with the reason."""

    name = "rejects"
    primary_keys = ("timing_partner_id", "stream", "reject_id")
    has_record = True
    columns = (
        _key("stream", "The stream it would have been part of"),
        _key("reject_id", "A digest of scope, field and record: the same record comes once"),
        _given("scope", "text", "The event's id, or empty for the whole account"),
        _given("record_key", "text", "Its ids joined with '/', where it has them"),
        _given("field", "text", "The column at fault; empty when the record as a whole is"),
        _given("reason", "text", "Why it was not delivered"),
        _given("run_id", "text", "The run, as named by setting run_id"),
    )

    def add(self, stream: str, scope: str, reject: Reject, read_at: str) -> str:
        """Write one reject and return its id."""
        digest = hashlib.sha256(f"{scope}\0{reject.field}\0".encode() + canonical(reject.record)).hexdigest()
        is_object = isinstance(reject.record, dict)
        self.emit(
            {
                "timing_partner_id": self.hub.timing_partner_id,
                "stream": stream,
                "reject_id": digest,
                "scope": scope,
                "record_key": reject.record_key,
                "field": reject.field,
                "reason": reject.reason,
                # The column holds objects; whatever else came is kept inside one.
                "record": reject.record if is_object else {"value": reject.record},
                "run_id": self.hub.run_id,
                "read_at": read_at,
            }
        )
        return digest


class Removals(SideStream):
    """Rows that a provider no longer holds, and when some of them came back."""

    name = "removals"
    primary_keys = ("timing_partner_id", "stream", "record_key")
    columns = (
        _key("stream", "The stream that the row is part of"),
        _key("record_key", "Its ids joined with '/'"),
        _given("scope", "text", "The event's id, or empty for the whole account"),
        _given("noticed_at", "instant", "When it was missed for the first time"),
        _given("returned_at", "instant", "When it was there again; null while it is gone"),
        _given("run_id", "text", "The run, as named by setting run_id"),
    )

    def add(
        self,
        stream: str,
        scope: str,
        record_key: str,
        *,
        noticed_at: datetime,
        returned_at: datetime | None = None,
    ) -> None:
        """Write one removal, or its end."""
        self.emit(
            {
                "timing_partner_id": self.hub.timing_partner_id,
                "stream": stream,
                "record_key": record_key,
                "scope": scope,
                "noticed_at": as_text(noticed_at),
                "returned_at": None if returned_at is None else as_text(returned_at),
                "run_id": self.hub.run_id,
                "read_at": as_text(self.hub.clock()),
            }
        )
