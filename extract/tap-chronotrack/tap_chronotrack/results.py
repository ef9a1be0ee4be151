"""Results are many and change fast: ask for changes often, read whole seldom.

`last_modified` is best effort (chronotrack.md: one client uses it, nothing documents it). So it only
makes changes arrive sooner; what was removed, and what it may have kept from us, whole reads find.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from tap_shared.clock import as_text, from_text, http_date
from tap_shared.columns import Record
from tap_shared.snapshot import Snapshot
from tap_shared.stream import Tally

from tap_chronotrack.client import Page, pages
from tap_chronotrack.directory import Event
from tap_chronotrack.reading import EventStream, Mark, Whole

# Timers test the day before, and score on into the night after.
AROUND = timedelta(days=1)
# A probe and a count: a list of as few pages costs no more to read whole.
PROBE_CALLS = 2
TWO_SECONDS = timedelta(seconds=2)
# What a bookmark holds for the next probe.
PROBE = ("last_modified", "since", "inclusive", "ignored")


class ProbedStream(EventStream):
    """Rows of an event: changes at each run, all of them every so often."""

    def plan(self, event: Event, mark: Mark) -> str:
        """Return whole, probe, or skip for an event that has not begun."""
        now, config = self.hub.now(), self.config
        if event.starts_at is not None and event.starts_at - now > AROUND and not mark:
            return "skip"
        if not mark.get("snapshot") or not mark.get("since") or mark["calls"] <= PROBE_CALLS:
            return "whole"
        if self.hub.is_over(event.ends_at):
            # The last read, after which the event is settled.
            return "whole"
        live = event.ends_at is None or now - event.ends_at < AROUND
        minutes = config["whole_read_minutes"] if live or mark.get("ignored") else config["whole_read_minutes_after"]
        age = now - from_text(mark["whole_at"])
        return "probe" if timedelta(0) <= age < timedelta(minutes=minutes) else "whole"

    def first_page(self, unit: tuple[Event, Mark, str]) -> Page | None:
        """Return the first page of all rows, or of those that changed."""
        event, mark, how = unit
        if how != "probe" or mark.get("ignored"):
            # Where asking for changes gets everything, one row tells at least how many there are.
            return self.fetch(event, 1, size=1) if how == "probe" else super().first_page(unit)
        return self.fetch(event, 1, last_modified=mark["since"])

    def read_event(
        self, event: Event, mark: Mark, how: str, first: Page, tally: Tally, snapshot: Snapshot
    ) -> Iterator[Record]:
        """Yield what changed in one event."""
        if how != "probe":
            yield from super().read_event(event, mark, how, first, tally, snapshot)
            return
        tally.mode = "changes"
        kept: dict[str, Any] = {name: mark.get(name) for name in ("calls", "whole_at", "keyless", *PROBE)}
        count = first
        if not mark.get("ignored"):
            yield from self.changes(event, mark, first, tally, snapshot)
            kept |= self.learned(mark, first, tally, snapshot)
            count = self.fetch(event, 1, size=1)
        tally.answered(count.answer)
        rows = (mark.get("rows") or 0) + snapshot.added
        if count.row_count != rows or tally.rejected:
            # Some were removed, or came without the probe's knowledge.
            tally.mode = "whole"
            first = self.fetch(event, 1, known=self.known_of(event, mark))
            yield from super().read_event(event, mark, "whole", first, tally, snapshot)
            return
        tally.saved = max(mark["calls"] - tally.calls, 0)
        value = self.finish_snapshot(snapshot, tally, whole=False)
        self.report(tally)
        self.commit({"event_id": event.id}, snapshot=value, **(kept | {"rows": rows}))

    def changes(self, event: Event, mark: Mark, first: Page, tally: Tally, snapshot: Snapshot) -> Iterator[Record]:
        """Yield the rows that the provider says have changed."""

        def fetch(number: int) -> Page:
            return self.fetch(event, number, last_modified=mark["since"])

        given = {"event_id": event.id}
        for page in pages(first, fetch, self.hub.ahead):
            yield from self.deliver_rows(page, given, tally, snapshot)

    def learned(self, mark: Mark, first: Page, tally: Tally, snapshot: Snapshot) -> dict[str, Any]:
        """Return what to ask with the next time, wiser by what this answer showed.

        Rows that come again unchanged are those of the very second asked for; the next question
        leaves that second out. Where all rows come again even so, the question is ignored.
        """
        nothing_new = snapshot.seen > 0 and tally.sent == 0
        # Without that header we send the answer's own time, after which nothing had changed.
        dated = "Last-Modified" not in first.answer.headers
        same = dated or first.last_modified == mark.get("last_modified")
        left_out = dated or mark["since"] != mark.get("last_modified")
        everything = snapshot.seen >= len(snapshot) > self.tap.page_size
        inclusive = mark.get("inclusive") or (nothing_new and same) or None
        return {
            "last_modified": first.last_modified,
            "since": since(first, bool(inclusive)),
            "inclusive": inclusive,
            "ignored": (nothing_new and same and left_out and everything) or None,
        }

    def more_to_remember(self, mark: Mark, whole: Whole) -> dict[str, Any]:
        """Return what the next probe needs; nothing after a read that may have missed rows."""
        common = super().more_to_remember(mark, whole)
        if not whole.complete or whole.first is None:
            return common
        return common | {
            "whole_at": as_text(self.hub.now()),
            "rows": whole.row_count,
            "last_modified": whole.first.last_modified,
            "since": since(whole.first, bool(mark.get("inclusive"))),
            "inclusive": mark.get("inclusive"),
            "ignored": mark.get("ignored"),
        }


def since(page: Page, inclusive: bool) -> str | None:
    """Return what to send back as last_modified."""
    told, asked_at = http_date(page.last_modified), page.answer.provider_clock
    if inclusive and told and asked_at and asked_at - told >= TWO_SECONDS:
        # That second is over: whatever changes from now on is later.
        return format_datetime(told + timedelta(seconds=1), usegmt=True)
    return page.last_modified
