"""Results are many and change fast: ask for changes often, read whole seldom.

`last_modified` is best effort (chronotrack.md: one client uses it, nothing documents it). So it only
makes changes arrive sooner; what was removed, and what it may have kept from us, whole reads find.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Record
from tap_shared.snapshot import Snapshot
from tap_shared.stream import Tally

from tap_chronotrack.account import Event
from tap_chronotrack.client import Page, pages
from tap_chronotrack.reading import EventStream, Mark, Whole

# Timers test the day before, and score on into the night after.
AROUND = timedelta(days=1)
# A probe and a count: a list of as few pages costs no more to read whole.
PROBE_CALLS = 2


class ProbedStream(EventStream):
    """Rows of an event: changes at each run, all of them every so often."""

    def plan(self, event: Event, mark: Mark) -> str:
        """Return whole, probe, or skip for an event that has not begun."""
        now, config = self.hub.now(), self.config
        if event.starts_at is not None and event.starts_at - now > AROUND and not mark:
            return "skip"
        if not mark.get("snapshot") or not mark.get("last_modified") or mark["calls"] <= PROBE_CALLS:
            return "whole"
        if self.hub.is_over(event.ends_at):
            # The last read, after which the event is settled.
            return "whole"
        live = event.ends_at is None or now - event.ends_at < AROUND
        minutes = config["whole_read_minutes"] if live else config["whole_read_minutes_after"]
        if mark.get("ignored"):
            # The provider answers with everything whatever is asked: asking for changes is no cheaper.
            minutes = config["whole_read_minutes"]
        since = now - from_text(mark["whole_at"])
        return "probe" if timedelta(0) <= since < timedelta(minutes=minutes) else "whole"

    def first_page(self, unit: tuple[Event, Mark, str]) -> Page | None:
        """Return the first page of all rows, or of those that changed."""
        event, mark, how = unit
        if how != "probe":
            return super().first_page(unit)
        if mark.get("ignored"):
            return self.fetch(event, 1, size=1)
        return self.fetch(event, 1, last_modified=mark["last_modified"])

    def read_event(
        self, event: Event, mark: Mark, how: str, first: Page, tally: Tally, snapshot: Snapshot
    ) -> Iterator[Record]:
        """Yield what changed in one event."""
        if how != "probe":
            yield from super().read_event(event, mark, how, first, tally, snapshot)
            return
        tally.mode = "changes"
        ignored = bool(mark.get("ignored"))
        count = first
        if not ignored:

            def fetch(number: int) -> Page:
                return self.fetch(event, number, last_modified=mark["last_modified"])

            given = {"event_id": event.id}
            for page in pages(first, fetch, self.hub.ahead):
                yield from self.deliver_page(page, given, tally, snapshot)
            ignored = (
                snapshot.seen > self.tap.page_size and snapshot.seen >= len(snapshot) and 2 * tally.sent < snapshot.seen
            )
            count = self.fetch(event, 1, size=1)
        tally.answered(count.answer)
        rows = mark.get("rows", 0) + snapshot.added
        if count.row_count is None or count.row_count != rows or tally.rejected:
            # Rows were removed, or came without the probe's knowledge.
            tally.mode = "whole"
            yield from super().read_event(event, mark, "whole", self.fetch(event, 1), tally, snapshot)
            return
        tally.saved = max(mark["calls"] - tally.calls, 0)
        value = self.finish_snapshot(snapshot, tally, whole=False)
        self.report(tally)
        kept: dict[str, Any] = {name: mark.get(name) for name in ("calls", "whole_at", "keyless")}
        kept |= {
            "rows": rows,
            "ignored": ignored or None,
            "last_modified": first.last_modified or mark["last_modified"],
        }
        if mark.get("ignored"):
            kept["last_modified"] = mark["last_modified"]
        self.commit({"event_id": event.id}, snapshot=value, **kept)

    def more_to_remember(self, tally: Tally, snapshot: Snapshot, whole: Whole) -> dict[str, Any]:
        """Remember what the next probe needs; nothing after a read that may have missed rows."""
        common = super().more_to_remember(tally, snapshot, whole)
        if not whole.complete:
            return common
        return common | {
            "whole_at": as_text(self.hub.now()),
            "rows": whole.row_count,
            "last_modified": whole.last_modified,
        }
