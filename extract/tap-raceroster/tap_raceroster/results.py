"""Results: the public results service lists them short, and tells bib, age and gun time one by one.

The list is read at each run; only a row that changed there is asked for by itself (raceroster.md, section 3.4 and
5.4). With setting results_source `account` whole rows come from the account's own list instead.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tap_shared.columns import Record
from tap_shared.errors import Gone, ShapeChanged
from tap_shared.snapshot import Snapshot, canonical
from tap_shared.stream import Tally

from tap_raceroster.client import Page, pages
from tap_raceroster.directory import Event
from tap_raceroster.reading import EventStream, Mark, Whole

# Results may be tried out in the morning.
BEFORE_THE_START = timedelta(hours=12)
# The service takes 50, 100, 250, 500 or 1000 and refuses anything else.
LISTED_AT_ONCE = 1000
# The account's list, by number of page: seen in one client.
ROWS_A_PAGE = 100
# After so many details what was read is remembered: the hour's calls may end before the event does.
DETAILS_AT_ONCE = 100


class ResultStream(EventStream):
    """Rows of results, from the service or from the account."""

    # Results that were listed and gone when their details were asked for, of the event at hand.
    _vanished = 0

    def is_readable(self, event: Event) -> bool:
        """Tell whether the results of an event can be found: the service knows it by a code, which it gets later."""
        source = self.config["results_source"]
        return bool(source == "account" or (source == "public" and event.code))

    def plan(self, event: Event, mark: Mark) -> str:
        """Return whole for an event that has begun."""
        begun = event.starts_at is None or self.hub.now() >= event.starts_at - BEFORE_THE_START
        return "whole" if begun else "skip"

    def first_page(self, unit: tuple[Event, Mark, str]) -> Page | None:
        """Return the first page of the account's list; the service has a list for each sub-event."""
        event, _, how = unit
        return self._account_page(event, 0) if how != "gone" and self.config["results_source"] == "account" else None

    def read_event(
        self, event: Event, mark: Mark, how: str, first: Page | None, tally: Tally, snapshot: Snapshot
    ) -> Iterator[Record]:
        """Yield what changed in one event and remember it."""
        last = self.hub.is_over(event.ends_at)
        if first is None:
            read = yield from self._public(event, mark, tally, snapshot)
        else:
            at_hand = [first]

            def reads() -> Iterator[Page]:
                begin = at_hand.pop() if at_hand else self._account_page(event, 0)
                return pages(begin, lambda offset: self._account_page(event, offset), self.hub.ahead)

            given = {"event_id": event.id, "sub_event_name": None}
            read = yield from self.read_list(reads, given, tally, snapshot, whole=True, last=last)
        self.remember(event, mark, tally, snapshot, read, whole=True)

    def _account_page(self, event: Event, offset: int) -> Page:
        client = self.tap.client
        window = {"page": offset // ROWS_A_PAGE + 1, "perPage": ROWS_A_PAGE}
        answer = client.listed(f"events/{event.id}/results", window, self.name, event.id)
        return client.page_of(answer, "data", offset, ROWS_A_PAGE, self.name)

    # --- the results service ------------------------------------------------------------------------

    def _public(self, event: Event, mark: Mark, tally: Tally, snapshot: Snapshot) -> Generator[Record, None, Whole]:
        """Yield the rows of all sub-events that have results; return what the read came to."""
        result = Whole(complete=True)
        self._vanished = 0
        for result_event_id, sub_event in self._sub_events(event, tally):
            number = sub_event.get("resultSubEventId")
            path = f"result-events/{result_event_id}/sub-events/{number}/results"
            given = {"event_id": event.id, "sub_event_name": sub_event.get("name")}

            def fetch(start: int, path: str = path) -> Page:
                params = {"filter_search": "", "start": start, "limit": LISTED_AT_ONCE}
                answer = self.tap.client.public(path, params, self.name)
                return self.tap.client.page_of(answer, "data", start, LISTED_AT_ONCE, self.name)

            met, counts = 0, set()
            for page in pages(fetch(0), fetch, self.hub.ahead):
                tally.answered(page.answer)
                met += len(page.rows)
                counts.add(page.row_count)
                for start in range(0, len(page.rows), DETAILS_AT_ONCE):
                    yield from self._detailed(page.rows[start : start + DETAILS_AT_ONCE], given, tally, snapshot)
                    # Durable as far as it got: finish() with whole=False only adds to what is remembered.
                    value, _ = snapshot.finish(whole=False)
                    self.commit({"event_id": event.id}, **mark_of(mark) | {"snapshot": value})
            # A list that changed its length while it was read may have hidden a row.
            result.complete = result.complete and len(counts) == 1 and met >= (counts.pop() or 0)
        result.complete = result.complete and not self._vanished
        result.keyless = tally.keyless
        return result

    def _sub_events(self, event: Event, tally: Tally) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield the service's sub-events that have results to show, with its own id of the event."""
        answer = self.tap.client.public(f"events/{event.code}", {}, self.name)
        tally.answered(answer)
        data = answer.data.get("data") if isinstance(answer.data, dict) else None
        about = data.get("event") if isinstance(data, dict) else None
        # assumed: the page names the sub-events' fields, and not the key of their list.
        listed = data.get("subEvents") if isinstance(data, dict) else None
        listed = listed.get("data") if isinstance(listed, dict) else listed
        if not isinstance(about, dict) or not isinstance(listed, list):
            raise ShapeChanged(
                f"{self.hub.where(self.name)}: {answer.url}: the answer has no event with its sub-events: "
                "read the provider's release notes and update the tap"
            )
        for one in listed:
            if isinstance(one, dict) and one.get("hasResults") is not False and one.get("isPublic") is not False:
                yield about.get("resultEventId"), one

    def _detailed(self, rows: list[Any], given: Record, tally: Tally, snapshot: Snapshot) -> Iterator[Record]:
        """Yield the rows of a list that changed, each with its details."""
        changed = []
        for row in rows:
            code = row.get("id") if isinstance(row, dict) else None
            if not isinstance(code, str) or not code:
                # Not a row that can be asked for: it goes to the rejects as it is.
                yield from self.deliver([(row, given)], tally)
            elif snapshot.changed_content(code, canonical([row, given])):
                changed.append(row)
            else:
                tally.received += 1
        for row, future in self.hub.ahead.each(iter(changed), self._detail):
            try:
                answer = future.result()
            except Gone:
                # Taken back since it was listed: the next run finds it missing, or asks again.
                snapshot.changed_content(row["id"], b"")
                self._vanished += 1
                continue
            tally.answered(replace(answer, provider_clock=tally.provider_clock))
            detail = answer.data.get("data") if isinstance(answer.data, dict) else None
            rejected = tally.rejected
            whole = {**row, **detail} if isinstance(detail, dict) else row
            yield from self.deliver([(whole, given)], tally)
            if tally.rejected > rejected:
                # What could not be taken is asked for again.
                snapshot.changed_content(row["id"], b"")

    def _detail(self, row: dict[str, Any]) -> Any:
        return self.tap.client.public(f"results/{row['id']}", {}, self.name)


def mark_of(mark: Mark) -> dict[str, Any]:
    """Return the fields of a bookmark without its context."""
    return {name: value for name, value in mark.items() if name != "context"}
