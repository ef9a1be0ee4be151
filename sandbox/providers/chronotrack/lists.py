"""ChronoTrack's lists: which call gives which records, on which page."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate, parsedate_to_datetime

from sandbox.providers.chronotrack.records import TEST_ENTRY, Records
from sandbox.providers.chronotrack.results import Results, Rows
from sandbox.providers.chronotrack.sign_in import SignIn
from sandbox.providers.chronotrack.wire import (
    BRACKET_BASE,
    BRACKETS,
    INTERVAL_BASE,
    INTERVALS,
    RACE_BASE,
    ChronoTrackError,
    interval_id,
)
from sandbox.providers.common import Answer, Call, Record
from sandbox.state import State
from sandbox.world import Distance

MOST = 1000
TEST_ENTRIES = 2


class Lists:
    """ChronoTrack's routes."""

    def __init__(self, state: State, sign_in: SignIn, records: Records, results: Results, quirks: Record) -> None:
        """Answer from this state, in these records, with these surprises."""
        self.state = state
        self.sign_in = sign_in
        self.records = records
        self.results = results
        self.quirks = quirks

    def answer(self, call: Call) -> Answer:
        """Return a token or a list; raise ChronoTrackError where ChronoTrack answers an error."""
        if call.path == ("oauth2", "token"):
            return self.sign_in.token(call)
        path = list(call.path)
        if path and path[0].endswith(".json"):
            path[0] = path[0][:-5]
        elif call.query.get("format", "json").lower() != "json" or (path and "." in path[0]):
            raise ChronoTrackError(400, "Unsupported format")
        if call.slash:
            raise ChronoTrackError(404, "Not found")
        self.sign_in.sign_in(call)
        if call.method != "GET":
            raise ChronoTrackError(405, "Method not allowed")
        match path:
            case ["event"]:
                return self._events(call)
            case [resource, number]:
                return self._one(call, resource, number)
            case [("event" | "race" | "bracket" | "interval") as parent, number, "results"]:
                return self._results(call, parent, number)
            case ["entry", number, "results"]:
                return self._entry_results(call, number)
            case [("event" | "race") as parent, number, child]:
                return self._children(call, parent, number, child)
        raise ChronoTrackError(404, "Not found")

    # -- pages --------------------------------------------------------------------------------------

    def _page(self, call: Call, key: str, rows: list[Record], total: int, size: int, stream: str) -> Answer:
        rows = [self.shown(call, row) for row in rows]
        headers = {
            "X-Ctlive-Row-Count": str(total),
            "X-Ctlive-Page-Count": str(max(1, -(-total // size))),
            "X-Ctlive-Page-Size": str(size),
            "X-Ctlive-Current-Page": str(call.number("page", 1)),
        }
        return Answer({key: rows}, headers=headers, rows=rows, stream=stream)

    @staticmethod
    def _span(call: Call) -> tuple[int, int]:
        size = call.number("size", 50, MOST)
        return (call.number("page", 1) - 1) * size, size

    @staticmethod
    def shown(call: Call, row: Record) -> Record:
        """Leave out what a call did not ask for, and empty values unless told to keep them."""
        everything = call.flag("include_all_fields")
        hidden: set[str] = set()
        if not (everything or call.flag("contact_details")):
            hidden |= {"athlete_email", "athlete_home_phone", "athlete_mobile_phone"}
        if not (everything or call.flag("need_athlete_birthdate")):
            hidden.add("athlete_birthdate")
        if call.query.get("columns"):
            wanted = set(call.query["columns"].split(",")) | {"results_entry_id", "results_interval_id"}
            hidden |= {name for name in row if name not in wanted}
        elide = call.flag("elide_json", True)
        return {k: v for k, v in row.items() if k not in hidden and not (elide and v in ("", None))}

    # -- events and what is below them --------------------------------------------------------------

    def _events(self, call: Call) -> Answer:
        uids = self.records.event_uids(call.partner or 0, call.flag("include_test_events"))
        start, size = self._span(call)
        rows = [self.records.event(call.partner or 0, u) for u in uids[start : start + size]]
        return self._page(call, "event", rows, len(uids), size, "events")

    def _one(self, call: Call, resource: str, number: str) -> Answer:
        record: Record | None = None
        stream = ""
        if resource == "event":
            uid = self.records.occasion_uid(number)
            if uid is not None:
                record, stream = self.records.event(self._permit(call, uid), uid), "events"
        elif resource == "race":
            distance = self.records.numbered(RACE_BASE, number)
            if distance is not None:
                record, stream = self.records.race(self._permit(call, distance), distance), "races"
        elif resource == "entry":
            found = self.records.locate(number)
            if found is not None and found[1] in self.records.roster(self._permit(call, found[0]), found[0]):
                record, stream = self.records.entry(call.partner or 0, *found), "entries"
                call.query |= {"contact_details": "1", "need_athlete_birthdate": "1"}
        elif resource in ("bracket", "interval"):
            base, per = (BRACKET_BASE, BRACKETS) if resource == "bracket" else (INTERVAL_BASE, INTERVALS)
            distance = self.records.numbered(base, number, per)
            if distance is not None:
                partner = self._permit(call, distance)
                made = (
                    self.records.brackets(partner, distance)
                    if resource == "bracket"
                    else self.records.intervals(partner, distance)
                )
                record = next((row for row in made if row[f"{resource}_id"] == number), None)
                stream = resource + "s"
        if record is None:
            raise ChronoTrackError(404, f"{resource} not found")
        row = self.shown(call, record)
        return Answer({resource: row}, rows=[row], stream=stream)

    def _permit(self, call: Call, distance_or_uid: Distance | int) -> int:
        uid = distance_or_uid if isinstance(distance_or_uid, int) else distance_or_uid.uid // 4
        partner = call.partner or 0
        if not self.state.source.serves(partner, uid):
            raise ChronoTrackError(403, "No access to this event")
        return partner

    def _scope(self, call: Call, parent: str, number: str) -> list[Distance] | None:
        """Return the races below an event or race; None where there is no such thing."""
        if parent == "event":
            uid = self.records.occasion_uid(number)
            if uid is None:
                return None
            self._permit(call, uid)
            return self.records.distances(uid)
        distance = self.records.numbered(RACE_BASE, number)
        if distance is None:
            return None
        self._permit(call, distance)
        return [distance]

    def _children(self, call: Call, parent: str, number: str, child: str) -> Answer:
        distances = self._scope(call, parent, number)
        if distances is None:
            # A bad id answers 200 without the expected key.
            return Answer({"message": f"no such {parent}"})
        partner = call.partner or 0
        key = f"{parent}_{child.replace('-', '_')}"
        start, size = self._span(call)
        if child == "entry":
            return self._entries(call, partner, distances, key)
        rows: list[Record]
        match child:
            case "race":
                rows, stream = [self.records.race(partner, d) for d in distances], "races"
            case "bracket":
                rows, stream = [b for d in distances for b in self.records.brackets(partner, d)], "brackets"
            case "interval":
                rows, stream = [i for d in distances for i in self.records.intervals(partner, d)], "intervals"
            case "wave":
                rows, stream = [w for d in distances for w in self.records.waves(d)], "waves"
            case "reg-choice":
                rows, stream = [self.records.choice(d) for d in distances], "choices"
            case _:
                raise ChronoTrackError(404, "Not found")
        return self._page(call, key, rows[start : start + size], len(rows), size, stream)

    def _entries(self, call: Call, partner: int, distances: list[Distance], key: str) -> Answer:
        start, size = self._span(call)
        rows: list[Record] = []
        total = 0
        for distance in distances:
            roster = self.records.roster(partner, distance)
            length = len(roster)
            a, b = max(0, start - total), min(length, start + size - total)
            # Entries added since come first: a new one shifts the pages.
            if a < b:
                order = roster.added[::-1][a:b]
                new = len(roster.added)
                order += list(roster.slice(max(0, a - new), max(0, b - new)))[: (b - a) - len(order)]
                rows += [self.records.entry(partner, distance, index) for index in order]
            total += length
        if call.flag("include_test_entries"):
            tests = [self.records.entry(partner, distances[0], TEST_ENTRY + n) for n in range(TEST_ENTRIES)]
            rows += tests[max(0, start - total) : max(0, start + size - total)]
            total += len(tests)
        answer = self._page(call, key, rows, total, size, "entries")
        answer.distances = list(distances)
        return answer

    # -- results ------------------------------------------------------------------------------------

    def _wanted_intervals(self, call: Call, distance: Distance) -> list[int]:
        full = len(distance.course.splits)
        asked = call.query.get("interval")
        if asked is None:
            return [full]
        if asked.upper() == "ALL":
            return list(range(full + 1))
        named = [name for name, _ in distance.course.splits] + ["Full Course"]
        return [n for n, name in enumerate(named) if asked.lower() == name.lower() or asked == interval_id(distance, n)]

    def _results(self, call: Call, parent: str, number: str) -> Answer:  # noqa: PLR0912
        key = f"{parent}_results"
        if parent in ("bracket", "interval"):
            base, per = (BRACKET_BASE, BRACKETS) if parent == "bracket" else (INTERVAL_BASE, INTERVALS)
            distance = self.records.numbered(base, number, per)
            distances = None if distance is None else [distance]
            if distance is not None:
                self._permit(call, distance)
                call.query[parent] = number
        else:
            distances = self._scope(call, parent, number)
        if distances is None:
            return Answer({"message": f"no such {parent}"})
        partner = call.partner or 0
        stretches = [r for d in distances for r in self.results.stretches(partner, d, self._wanted_intervals(call, d))]
        latest = max((self.results.latest(partner, stretch) for stretch in stretches if len(stretch)), default=None)
        since = self._since(call)
        bracket = call.query.get("bracket", "")
        size = call.number("size", 50, MOST)
        # During live scoring the rows move while they are read: some come again on the next page.
        repeat = min(self.quirks["repeat_rows"], size - 1) if self.results.is_live(partner, distances) else 0
        stride = size - repeat
        start = (call.number("page", 1) - 1) * stride
        pairs: list[tuple[Rows, int]]
        if since is None and bracket.upper() in ("", "SEX", "AGE"):
            total = sum(len(stretch) for stretch in stretches)
            pairs, offset = [], 0
            for stretch in stretches:
                a, b = max(0, start - offset), min(len(stretch), start + size - offset)
                if a < b:
                    pairs += [(stretch, position) for position in stretch.slice(a, b)]
                offset += len(stretch)
        else:
            found = list(self._matching(partner, stretches, since, bracket))
            total, pairs = len(found), found[start : start + size]
        rows = []
        for stretch, position in pairs:
            codes = self.results.ranks.codes_of(partner, stretch.distance, bracket)
            row = self.results.result(partner, stretch.distance, stretch.interval, position, codes)
            if bracket.upper() == "SEX":
                row["results_bracket_name"] = {"F": "Female", "M": "Male"}.get(row["results_sex"], "Non-binary")
            elif bracket.upper() == "AGE":
                row["results_bracket_name"] = row["results_primary_bracket_name"]
            elif bracket:
                row["results_bracket_name"] = self.results.ranks.named(stretch.distance, bracket) or ""
            rows.append(row)
        answer = self._page(call, key, rows, total, size, "results")
        pages = 1 + max(0, -(-(total - size) // stride))
        answer.headers["X-Ctlive-Page-Count"] = str(pages)
        if latest is not None:
            answer.headers["Last-Modified"] = formatdate(latest, usegmt=True)
        answer.distances = list(distances)
        return answer

    def _since(self, call: Call) -> int | None:
        given = call.query.get("last_modified")
        if not given:
            return None
        try:
            return int(given) if given.isdigit() else int(parsedate_to_datetime(given).timestamp())
        except ValueError:
            return None

    def _matching(
        self, partner: int, stretches: list[Rows], since: int | None, bracket: str
    ) -> Iterator[tuple[Rows, int]]:
        for stretch in stretches:
            distance = stretch.distance
            if since is not None and self.results.latest(partner, stretch) < since:
                continue
            keep = self.results.ranks.keeps(partner, distance, bracket)
            if keep is None:
                continue
            for position in stretch.slice(0, len(stretch)):
                index = self.state.source.index_at(distance, position) if position >= 0 else -1 - position
                if (
                    since is not None
                    and self.results.modified_at(partner, distance, stretch.interval, position, index) < since
                ):
                    continue
                if keep is True or (0 <= position < distance.finishers and keep[0][position] == keep[1]):
                    yield stretch, position

    def _entry_results(self, call: Call, number: str) -> Answer:
        found = self.records.locate(number)
        if found is None or found[1] not in self.records.roster(self._permit(call, found[0]), found[0]):
            raise ChronoTrackError(404, "entry not found")
        distance, index = found
        partner = call.partner or 0
        position = self.state.source.position_of(distance, index)
        rows = []
        for stretch in self.results.stretches(partner, distance, list(range(len(distance.course.splits) + 1))):
            inside = position is not None and stretch.start <= position < stretch.stop and position not in stretch.gone
            if inside and position is not None:
                rows.append(self.results.result(partner, distance, stretch.interval, position))
            elif index in stretch.extras:
                rows.append(self.results.result(partner, distance, stretch.interval, -1 - index))
        return self._page(call, "entry_results", rows, len(rows), MOST, "results")
