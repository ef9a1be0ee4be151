"""Reading in two steps: an event's list, then one call for each registration that moved.

A list of 5,000 is 200 calls, its registrations are 5,000 more, and an hour has 500. So the lists come first, for all
events, and give what they have; what they show to be new or changed is remembered in the state as `due`, and asked for
as far as the hour's calls go, event by event, the next one first. A run that ends in between goes on there.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Record
from tap_shared.errors import Gone, TapError
from tap_shared.http import Answer
from tap_shared.snapshot import Snapshot
from tap_shared.stream import HubStream, Pair, Tally

from tap_haku.client import Page, pages
from tap_haku.columns import active_category, categories_of, in_zone, instant_in
from tap_haku.directory import Event

if TYPE_CHECKING:
    from tap_haku.streams import Categories, Registrations
    from tap_haku.tap import TapHaku

# Rows that are missing from a whole list are asked for one by one, up to this many; else the list is read again.
MOST_ASKED = 25
MOST_READS = 3
# Registrations are written, and what is left of `due` remembered, in parts of this many.
PART = 25

Mark = dict[str, Any]


class HakuStream(HubStream):
    """What the streams of this tap have in common."""

    def __init__(self, tap: TapHaku) -> None:
        """Read times that carry no zone in the one that is set."""
        self.columns = in_zone(type(self).columns, tap.zone)  # type: ignore[misc]
        super().__init__(tap)
        # Another zone makes other rows of the same records.
        self.edition += tap.config["timezone"]

    @property
    def tap(self) -> TapHaku:
        """Return the tap by its own type."""
        return cast("TapHaku", self.hub)


class ListStream(HakuStream):
    """Rows of one event after the other: changes at each run, all of them every so often."""

    @property
    def singles(self) -> Registrations:
        """Return the stream of what is asked for one by one."""
        return self.tap.streams["registrations"]  # type: ignore[return-value]

    # --- which events, and from when on ---------------------------------------------------------------

    def due(self) -> Iterator[tuple[Event, Mark, datetime | None]]:
        """Yield the events to read, with since when; None reads all. What cannot have changed counts as saved."""
        hub, saved = self.tap, 0
        for event in hub.directory:
            if not hub.is_wanted(event.ends_at):
                continue
            mark = self.bookmarks.get({"event_id": event.id})
            if mark.get("settled") and hub.is_over(event.ends_at) and not hub.read_everything:
                saved += 1
            else:
                yield event, mark, self.since(event, mark)
        self.skipped(saved)

    def since(self, event: Event, mark: Mark) -> datetime | None:
        """Return from when on changes are enough; None where a whole read is due."""
        value, whole_at = mark.get("replication_key_value"), mark.get("whole_at")
        if self.hub.read_everything or not value or not whole_at:
            return None
        hours = timedelta(hours=self.config["whole_read_hours"])
        # A last whole read comes before an event is settled.
        if self.hub.is_over(event.ends_at) or self.hub.now() - from_text(whole_at) >= hours:
            return None
        return from_text(value)

    def fetch(self, event: Event, number: int, since: datetime | None) -> Page:
        """Return one page of an event's list, the newest change first.

        In this order what is added or edited while pages are turned makes rows come twice, and none go missing but
        the edited one, which the next run's changes hold.
        """
        params: dict[str, Any] = {
            "per_page": self.config["page_size"],
            "sort_column": "updated_at",
            "sort_direction": "desc",
        }
        if since is not None:
            # Assumed to be heeded, and to take its instant in.
            params["updated_since"] = self.tap.instant_param(since)
        return self.tap.client.page(f"events/{event.id}/participants", "participants", params, number, self.name)

    # --- reading ---------------------------------------------------------------------------------------

    def walk(self) -> Iterator[Record]:
        """Yield the changed rows of every event that may have some."""
        for (event, mark, since), first in self.hub.ahead.each(
            self.due(), lambda unit: self.fetch(unit[0], 1, unit[2])
        ):
            try:
                page = first.result()
            except Gone as gone:
                self.logger.warning("%s, although event %s is listed: its rows stay", gone, event.id)
                continue
            tally = self.tally(event.id, "whole" if since is None else "changes")
            snapshot = self.snapshot(mark.get("snapshot"))
            touched: set[str] = set()
            if since is None:
                yield from self._whole(event, mark, page, tally, snapshot)
            else:
                yield from self._changes(event, page, since, tally, snapshot, touched)
            self._remember(event, mark, tally, snapshot, touched)
        listed = {event.id for event in self.tap.directory}
        for mark in self.bookmarks:
            if mark["context"]["event_id"] not in listed and not mark.get("gone"):
                self._end(mark["context"])

    def _deliver_page(self, event: Event, page: Page, tally: Tally, snapshot: Snapshot) -> Iterator[Record]:
        tally.answered(page.answer)
        given = {"event_id": event.id}
        if page.rows:
            yield from self.deliver([(record, given) for record in page.rows], tally, snapshot=snapshot)

    def _changes(
        self, event: Event, first: Page, since: datetime, tally: Tally, snapshot: Snapshot, touched: set[str]
    ) -> Iterator[Record]:
        def is_older(page: Page) -> bool:
            """Tell whether a page holds nothing new: a server that ignores updated_since would go on to the end."""
            times = [self._updated(record) for record in page.rows]
            return all(time is not None and time < since for time in times)

        untold: set[str] = set()
        rows = 0
        for page in pages(first, lambda number: self.fetch(event, number, since), self.hub.ahead, is_older):
            yield from self._deliver_page(event, page, tally, snapshot)
            rows += len(page.rows)
            untold |= {
                key
                for record in page.rows
                if self._updated(record) is None and (key := self.typer.key_of(record, {"event_id": event.id}))
            }
        if rows < len(snapshot):
            # Rows that do not say when they were touched: being in this answer says it. Unless all of them are.
            touched |= untold

    def _updated(self, record: Any) -> datetime | None:
        try:
            time = instant_in(record["updated_at"], self.tap.zone)
        except (KeyError, TypeError, ValueError):
            return None
        return from_text(time) if time else None

    def _whole(self, event: Event, mark: Mark, first: Page, tally: Tally, snapshot: Snapshot) -> Iterator[Record]:
        """Yield all rows; set the tally's mode to changes where the read says nothing about what is missing.

        A row that is deleted while pages are turned moves one that was not read yet onto a page that was. A known row
        that is missed so is asked for by itself. One that was never known would not be missed: the first read of a
        list of several pages is made twice.
        """
        is_first, keyless_before = not mark.get("whole_at"), mark.get("keyless", 0)
        for times in range(1, MOST_READS + 1):
            keyless = tally.keyless_refusals
            if times > 1:
                snapshot.restart()
                first = self.fetch(event, 1, None)
            number, before = 0, snapshot.moved
            for page in pages(first, lambda number: self.fetch(event, number, None), self.hub.ahead):
                yield from self._deliver_page(event, page, tally, snapshot)
                number += bool(page.rows)
            keyless = tally.keyless_refusals - keyless
            again = is_first and number > 1 and (times == 1 or bool(snapshot.moved - before))
            if not again and len(snapshot.unseen()) <= MOST_ASKED:
                break
        missing = snapshot.unseen()
        for key in missing[:MOST_ASKED]:
            tally.calls += 1
            if self._is_there(event, key):
                snapshot.keep(key)
        if len(missing) > MOST_ASKED and key_is_kept(snapshot, missing):
            # So many are missing, and one of them at least is there: that was no whole list.
            self.logger.warning(
                "%s: event %s: %d rows are missing from the list and not all of them are gone: nothing counts as "
                "removed this time",
                *(self.hub.where(self.name), event.id, len(missing)),
            )
            keyless = keyless_before + 1
        # A row that lost its key looks like one removed and one rejected: this time nothing counts as removed.
        complete = keyless <= keyless_before
        tally.mode = "whole" if complete else "changes"
        tally.at_provider = snapshot.seen + keyless if complete else None

    def _is_there(self, event: Event, key: str) -> bool:
        try:
            self.tap.client.get(f"events/{event.id}/registrations/{key.split('/', 1)[1]}", stream=self.name)
        except Gone:
            return False
        return True

    def _remember(self, event: Event, mark: Mark, tally: Tally, snapshot: Snapshot, touched: set[str]) -> None:
        """Write removals and the read; then what is due one by one, and only then the bookmark."""
        context = {"event_id": event.id}
        whole = tally.mode == "whole"
        gone = set(snapshot.unseen()) if whole else set()
        moved, listed = snapshot.moved | touched, snapshot.met if whole else set()
        value = self.finish_snapshot(snapshot, tally, whole=whole, confirmed_empty=True)
        self.report(tally)
        self.singles.expect(event.id, moved, listed, gone)
        clock = tally.provider_clock
        # Without the provider's clock the old bookmark stays: later than it ours might be.
        text = mark.get("replication_key_value") if clock is None else as_text(clock - self.tap.overlap)
        if whole and self.hub.is_over(event.ends_at):
            # What is not read again needs no memory of its rows.
            self.commit(context, settled=True, replication_key_value=text)
            return
        self.commit(
            context,
            replication_key_value=text,
            whole_at=(None if clock is None else as_text(clock)) if whole else mark.get("whole_at"),
            keyless=(tally.keyless if whole else mark.get("keyless")) or None,
            snapshot=value,
        )

    def _end(self, context: Mapping[str, str]) -> None:
        """Remove the rows of an event that is gone."""
        event_id = context["event_id"]
        tally = self.tally(event_id)
        snapshot = self.snapshot(self.bookmarks.get(context).get("snapshot"))
        gone, tally.at_provider = set(snapshot.unseen()), 0
        value = self.finish_snapshot(snapshot, tally, confirmed_empty=True)
        self.report(tally)
        self.singles.expect(event_id, set(), set(), gone)
        self.commit(context, snapshot=value, gone=True)


class SingleStream(HakuStream):
    """Records that are asked for one by one, when the list says that they moved."""

    @property
    def categories(self) -> Categories:
        """Return the stream of what registrations tell about their event."""
        return self.tap.streams["categories"]  # type: ignore[return-value]

    def expect(self, event_id: str, moved: set[str], listed: set[str], gone: set[str]) -> None:
        """Note what a read of the list came to: keys of rows that moved, of all (of a whole read), of what is gone.

        What is listed and was never written is asked for again with each whole read: it may have been not found, or
        refused. The caller commits its own bookmark afterwards: a stop in between asks for some again, and forgets
        none.
        """
        if not self.selected:
            return
        context = {"event_id": event_id}
        mark = self.bookmarks.get(context)
        snapshot = self.snapshot(mark.get("snapshot"))
        wanted = moved | {key for key in listed if key not in snapshot}
        due = (set(mark.get("due", ())) | {number_of(key) for key in wanted}) - {number_of(key) for key in gone}
        if gone:
            mark["snapshot"] = self._without(snapshot, gone, event_id)
        if due or mark:
            mark.pop("context", None)
            self.bookmarks.put(context, **(mark | {"due": sorted(due) or None}))

    def _without(self, snapshot: Snapshot, gone: set[str], event_id: str) -> str:
        """Write the removal of rows that are gone, of those that were ever written; return the new snapshot."""
        for key in snapshot.unseen():
            if key not in gone:
                snapshot.keep(key)
        tally = self.tally(event_id, "changes")
        text = self.finish_snapshot(snapshot, tally, confirmed_empty=True)
        self.totals.removed += tally.removed
        return text

    def walk(self) -> Iterator[Record]:
        """Yield the registrations that are due, as far as the hour's calls go."""
        left = asked = 0
        for event in self.tap.directory:
            mark = self.bookmarks.get({"event_id": event.id})
            if mark.get("due"):
                asked += 1
                left += yield from self._event(event, mark)
            elif mark.get("snapshot") and self._is_settled(event):
                # What is not read again needs no memory of its rows.
                self.categories.bookmarks.drop({"event_id": event.id})
                self.commit({"event_id": event.id}, settled=True)
        if not asked:
            # That nothing was due is a reading, too: else both streams would look as if nobody had read them for weeks.
            for stream in (self, self.categories):
                stream.report(stream.tally(mode="skipped"))
        if left:
            self.logger.warning(
                "%s: %d registrations wait for the next hour's calls (settings calls_per_hour, calls_for_lists); "
                "run again then",
                *(self.hub.where(self.name), left),
            )

    def _is_settled(self, event: Event) -> bool:
        return bool(self.tap.streams["participants"].bookmarks.get({"event_id": event.id}).get("settled"))  # type: ignore[attr-defined]

    def _event(self, event: Event, mark: Mark) -> Generator[Record, None, int]:
        """Yield an event's registrations that are due; return how many are left."""
        due: list[str] = mark["due"]
        snapshot = self.snapshot(mark.get("snapshot"))
        kinds = self.categories.snapshot(self.categories.bookmarks.get({"event_id": event.id}).get("snapshot"))
        tallies = self.tally(event.id, "changes"), self.categories.tally(event.id, "changes")
        done = 0
        stopped: TapError | None = None
        # In their order, and none after the first for which there is no call left.
        within = takewhile(lambda _: self.tap.may_ask_one(), due)
        asking = self.hub.ahead.each(within, lambda number: self._ask(event, number))
        answers: list[tuple[str, Answer | None]] = []
        while stopped is None:
            try:
                number, future = next(asking)
                answers.append((number, future.result()))
            except StopIteration:
                break
            except TapError as error:
                # What was answered before it counts.
                stopped = error
            if len(answers) >= PART:
                yield from self._part(event, answers, tallies, snapshot, kinds)
                done += len(answers)
                answers = []
                self._commit(event, due[done:], tallies[0], snapshot, kinds)
        if answers:
            yield from self._part(event, answers, tallies, snapshot, kinds)
            done += len(answers)
        self._commit(event, due[done:], tallies[0], snapshot, kinds)
        self.report(tallies[0])
        if tallies[1].received:
            self.categories.report(tallies[1])
        if stopped is not None:
            raise stopped
        return len(due) - done

    def _ask(self, event: Event, number: str) -> Answer | None:
        """Return a registration; None for one that is no longer there."""
        try:
            return self.tap.client.get(f"events/{event.id}/registrations/{number}", stream=self.name)
        except Gone:
            return None

    def _part(
        self,
        event: Event,
        answers: list[tuple[str, Answer | None]],
        tallies: tuple[Tally, Tally],
        snapshot: Snapshot,
        kinds: Snapshot,
    ) -> Iterator[Record]:
        """Yield what some answers hold; their categories go to their own stream."""
        tally, categories_tally = tallies
        pairs: list[Pair] = []
        categories: dict[str, Pair] = {}
        for number, answer in answers:
            if answer is None:
                # Deleted since the list was read. Its next whole read says so.
                tally.calls += 1
                continue
            tally.answered(answer)
            record = answer.data
            given = {"event_id": event.id, "registration_number": number}
            pairs.append((record, given | active_category(record)))
            for one in categories_of(record):
                about = {name: one.get(name) for name in ("id", "name", "master_name")}
                categories[str(about["id"])] = (about, {"event_id": event.id})
        # First what the others refer to.
        for row in self.categories.deliver([*categories.values()], categories_tally, snapshot=kinds):
            self.categories.emit(row)
        yield from self.deliver(pairs, tally, snapshot=snapshot)

    def _commit(self, event: Event, due: list[str], tally: Tally, snapshot: Snapshot, kinds: Snapshot) -> None:
        context = {"event_id": event.id}
        value, _ = kinds.finish(whole=False)
        self.categories.bookmarks.put(context, snapshot=value)
        self.commit(context, due=due or None, snapshot=self.finish_snapshot(snapshot, tally, whole=False))


def number_of(key: str) -> str:
    """Return the registration number in a key of event and number."""
    return key.split("/", 1)[1]


def key_is_kept(snapshot: Snapshot, keys: list[str]) -> bool:
    """Tell whether at least one of some keys was found after all."""
    return bool(set(keys) - set(snapshot.unseen()))
