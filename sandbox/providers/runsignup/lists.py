"""RunSignUp's lists: which call gives which records, on which page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sandbox import names
from sandbox.providers.common import Answer, Call, Record
from sandbox.providers.runsignup.records import Records
from sandbox.providers.runsignup.results import Results
from sandbox.providers.runsignup.sign_in import SignIn
from sandbox.providers.runsignup.wire import EASTERN, EVENT_BASE, RACE_BASE, RunSignupError, epoch, registration_id, tf
from sandbox.state import Roster, State
from sandbox.world import BLOCK, PARTNERS, START_DAY, Distance


class Lists:
    """RunSignUp's routes."""

    def __init__(self, state: State, sign_in: SignIn, records: Records, results: Results) -> None:
        """Answer from this state, in these records."""
        self.state = state
        self.sign_in = sign_in
        self.records = records
        self.results = results

    def answer(self, call: Call) -> Answer:  # noqa: PLR0911
        """Sign a call in and return its list; raise RunSignupError where RunSignUp answers an error."""
        self.sign_in.sign_in(call)
        if call.method != "GET":
            raise RunSignupError(8)
        path = call.path
        if path == ("races",):
            return self._races(call)
        if len(path) >= 2 and path[0] == "race" and path[1].isdigit():
            race_uid = int(path[1]) - RACE_BASE
            partner = self._race_partner(call, race_uid)
            match path[2:]:
                case ():
                    record = self.records.race(partner, race_uid, True)
                    return Answer({"race": record}, rows=[record], stream="races")
                case ("participants",):
                    return self._participants(call, race_uid)
                case ("removed-participants",):
                    return self._removed(call, race_uid)
                case ("participant-counts",):
                    return self._counts(call, race_uid)
                case ("results", "has-result-sets"):
                    found = any(
                        self.results.has_results(partner, d)
                        for u in self.records.editions(race_uid)
                        for d in self.records.distances(u)
                    )
                    return Answer({"has_results": tf(found)})
                case ("results", "get-result-sets"):
                    return self._result_sets(call, partner, race_uid, False)
                case ("results", "get-results"):
                    return self._result_sets(call, partner, race_uid, True)
        raise RunSignupError(1)

    def _race_partner(self, call: Call, race_uid: int) -> int:
        season = self.state.season
        owner = next((p for p in PARTNERS if season.serves(p, race_uid)), None)
        if owner is None or season.race_uid(race_uid) != race_uid or not self.records.is_listed(race_uid):
            raise RunSignupError(201)
        if call.partner is not None:
            if not season.serves(call.partner, race_uid):
                raise RunSignupError(7)
            return call.partner
        occasion = season.occasion(race_uid)
        if occasion.is_draft or occasion.is_private or "participant" in "".join(call.path[2:]):
            raise RunSignupError(7)
        return owner

    def _asked_events(self, call: Call, race_uid: int) -> list[Distance]:
        given = call.query.get("event_id", "")
        if not given:
            raise RunSignupError(3)
        found = []
        for text in given.split(","):
            if not text.strip().isdigit():
                raise RunSignupError(3)
            distance = self.state.season.distance(int(text) - EVENT_BASE) if int(text) >= EVENT_BASE else None
            if distance is None or distance.uid // 4 not in self.records.editions(race_uid):
                raise RunSignupError(301)
            found.append(distance)
        return found

    # -- races --------------------------------------------------------------------------------------

    def _races(self, call: Call) -> Answer:
        season, query = self.state.season, call.query
        if call.partner is not None:
            listed = [(call.partner, u) for u in self.records.race_uids(call.partner)]
        else:
            listed = [(p, u) for p in PARTNERS for u in self.records.race_uids(p) if u or p == 1]
            listed = [(p, u) for p, u in listed if not (season.occasion(u).is_draft or season.occasion(u).is_private)]
        for name in ("modified_since", "modified_on_or_before", "created_since", "created_on_or_before"):
            if name in query:
                limit = self._date(query[name])
                at = self.records.race_modified_at if name.startswith("modified") else self.records.created_at
                after = name.endswith("since")
                listed = [
                    (p, u)
                    for p, u in listed
                    if (datetime.fromtimestamp(at(p, u), EASTERN).date() >= limit if after else
                        datetime.fromtimestamp(at(p, u), EASTERN).date() <= limit)
                ]  # fmt: skip
        if "start_date" in query:
            first = self._date(query["start_date"])
            listed = [(p, u) for p, u in listed if self.records.last_day(u) >= first]
        if "end_date" in query:
            last = self._date(query["end_date"])
            listed = [(p, u) for p, u in listed if self.records.first_day(u) <= last]
        for name, place in (("city", 0), ("state", 1), ("country", 3)):
            if name in query:
                listed = [(p, u) for p, u in listed if season.occasion(u).venue[place] == query[name]]
        if "name" in query:
            listed = [(p, u) for p, u in listed if query["name"].lower() in season.occasion(u).name.lower()]
        sort = query.get("sort", "").replace("+", " ").split(" ")
        if sort[0] in ("date", "end_date"):
            listed.sort(key=lambda pu: (self.records.first_day(pu[1]), pu[1]), reverse=sort[-1].upper() == "DESC")
        elif sort[0] == "name":
            listed.sort(key=lambda pu: (season.occasion(pu[1]).name, pu[1]), reverse=sort[-1].upper() == "DESC")
        size = call.number("results_per_page", 50, 1000)
        start = (call.number("page", 1) - 1) * size
        rows = [self.records.race(p, u, call.flag("events")) for p, u in listed[start : start + size]]
        return Answer({"races": [{"race": row} for row in rows]}, rows=rows, stream="races")

    @staticmethod
    def _date(text: str) -> date:
        if text == "today":
            return START_DAY
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise RunSignupError(9) from None

    # -- participants -------------------------------------------------------------------------------

    def _participants(self, call: Call, race_uid: int) -> Answer:
        distances = self._asked_events(call, race_uid)
        partner = call.partner or 0
        size = call.number("results_per_page", 50, 2500)
        start = (call.number("page", 1) - 1) * size
        chosen = self._chosen(call, partner, distances, start, start + size)
        supports_nb = call.flag("supports_nb")
        rows = [self.records.participant(partner, distance, index, supports_nb) for distance, index in chosen]
        for row, (distance, index) in zip(rows, chosen, strict=True):
            if call.flag("include_questions"):
                row["question_responses"] = [
                    {
                        "question_id": 7001,
                        "question_text": "Emergency contact",
                        "response": None if index % 3 else "Sam",
                    }
                ]
            if call.flag("include_fundraisers"):
                charity = names.CHARITIES[index % 3] if index % 19 == 4 else None
                row["fundraiser_id"] = 4400 + distance.uid if charity else None
                row["fundraiser_charity_id"] = 90 + index % 3 if charity else None
                row["fundraiser_charity_name"] = charity
                row["team_fundraiser_id"] = None
        shown = list(rows)
        if call.flag("include_template_participant") and start == 0:
            shown.append({"registration_id": -1, "user": None, "event_id": EVENT_BASE + distances[0].uid})
        # The rows of all events asked for hang on the last element, and the inner list is always empty.
        body: list[Record] = [
            {"event": {"event_id": EVENT_BASE + distance.uid, "participants": []}, "participants": []}
            for distance in distances
        ]
        body[-1]["participants"] = shown
        return Answer(body, rows=rows, stream="participants", distances=distances)

    def _chosen(
        self, call: Call, partner: int, distances: list[Distance], start: int, stop: int
    ) -> list[tuple[Distance, int]]:
        query = call.query
        sort = query.get("sort", "").replace("+", " ").split(" ")
        narrow = [
            key
            for key in query
            if key.startswith("search_")
            or key in ("modified_after_timestamp", "registered_after_timestamp", "registered_before_timestamp")
        ]
        by_id = sort[0] in ("", "registration_id", "registration_date")
        if not narrow and by_id:
            # Without a sort no order is promised; newest first, so that a new entry shifts the pages.
            descending = not sort[0] or sort[-1].upper() == "DESC"
            return self._window(call, partner, distances, start, stop, descending)
        found = list(self._matching(call, partner, distances))
        if by_id:
            if sort[0] == "" or sort[-1].upper() == "DESC":
                found.reverse()
        else:
            key = sort[0] if sort[0] != "name" else "last_name"
            found.sort(key=lambda at: self._sort_key(partner, at[0], at[1], key), reverse=sort[-1].upper() == "DESC")
        return found[start:stop]

    def _sort_key(self, partner: int, distance: Distance, index: int, key: str) -> tuple[bool, Any, int]:
        record = self.records.participant(partner, distance, index)
        value = record["user"].get(key) if key in record["user"] else record.get(key)
        return value is None, value if value is not None else 0, index

    def _bounds(self, call: Call, roster: Roster, distance: Distance) -> tuple[int, int]:
        base = registration_id(distance, 0)
        low, high = 0, len(roster)
        after, before = call.query.get("after_registration_id", ""), call.query.get("before_registration_id", "")
        if after.lstrip("-").isdigit():
            low = roster.position(max(0, int(after) - base + 1)) if int(after) - base < BLOCK else high
        if before.isdigit():
            high = roster.position(int(before) - base) if int(before) > base else 0
        return low, max(low, high)

    def _window(
        self, call: Call, partner: int, distances: list[Distance], start: int, stop: int, descending: bool
    ) -> list[tuple[Distance, int]]:
        found: list[tuple[Distance, int]] = []
        offset = 0
        for distance in sorted(distances, key=lambda d: d.uid, reverse=descending):
            roster = self.records.roster(partner, distance)
            low, high = self._bounds(call, roster, distance)
            a, b = max(0, start - offset), min(high - low, stop - offset)
            if a < b:
                span = roster.slice(high - b, high - a) if descending else roster.slice(low + a, low + b)
                indexes = list(span)
                found += [(distance, i) for i in (reversed(indexes) if descending else indexes)]
            offset += high - low
        return found

    def _matching(self, call: Call, partner: int, distances: list[Distance]) -> Iterator[tuple[Distance, int]]:
        season, query = self.state.season, call.query
        since = epoch(query, "modified_after_timestamp")
        from_, until = (epoch(query, f"registered_{w}_timestamp") for w in ("after", "before"))
        searched = {k[7:]: v.lower() for k, v in query.items() if k.startswith("search_")}
        for distance in sorted(distances, key=lambda d: d.uid):
            changes = self.records.changes(partner, distance)
            roster = self.records.roster(partner, distance)
            low, high = self._bounds(call, roster, distance)
            indexes: Any = roster.slice(low, high)
            if since is not None and since > season.modified_bound(distance):
                # Nothing the season made is that new: only what control touched can be.
                first = roster.at(low) if low < high else 0
                indexes = sorted(i for i in changes.modified if i in roster and i >= first)
            for index in indexes:
                if since is not None and self.records.modified_at(changes, distance, index) < since:
                    continue
                if from_ is not None or until is not None:
                    at = changes.added_at.get(index) or season.registered_at(distance, index)
                    if at < (from_ or 0) or (until is not None and at > until):
                        continue
                if searched:
                    row = self.records.participant(partner, distance, index)
                    have = {**row["user"], "bib": row["bib_num"]}
                    if any(str(have.get(k) or "").lower() != v for k, v in searched.items()):
                        continue
                yield distance, index

    def _counts(self, call: Call, race_uid: int) -> Answer:
        rows: list[Record] = [
            {
                "event_id": EVENT_BASE + d.uid,
                "num_participants": len(self.records.roster(call.partner or 0, d)),
            }
            for d in self._asked_events(call, race_uid)
        ]
        return Answer({"event_counts": rows}, rows=rows)

    # -- removed participants -----------------------------------------------------------------------

    def _removed(self, call: Call, race_uid: int) -> Answer:
        distances = self._asked_events(call, race_uid)
        partner = call.partner or 0
        since = epoch(call.query, "modified_after_timestamp")
        after = call.query.get("after_registration_id", "")
        found: list[tuple[int, int, Distance, int]] = []
        for distance in distances:
            changes = self.records.changes(partner, distance)
            for index in self.records.removed_indexes(partner, distance):
                at = self.records.removal(changes, distance, index)[1]
                number = registration_id(distance, index)
                if (since is None or at >= since) and (not after.isdigit() or number > int(after)):
                    found.append((number, at, distance, index))
        sort = call.query.get("sort", "").replace("+", " ").split(" ")
        key = 1 if sort[0] == "last_modified" else 0
        descending = sort[-1].upper() == "DESC" or not sort[0]
        found.sort(key=lambda row: (row[key], row[0]), reverse=descending)
        size = call.number("results_per_page", 50, 2500)
        start = (call.number("page", 1) - 1) * size
        rows = []
        body: list[Record] = [{"event": {"event_id": EVENT_BASE + d.uid, "participants": []}} for d in distances]
        place = {d.uid: element["event"]["participants"] for d, element in zip(distances, body, strict=True)}
        for _, _, distance, index in found[start : start + size]:
            row = self.records.removed(partner, distance, index, call.flag("supports_nb"))
            place[distance.uid].append(row)
            rows.append(row)
        # One event asked for: one object. A list of them: an array. Clients have seen both.
        shape: Any = body[0] if len(body) == 1 else body
        return Answer(shape, rows=rows, stream="removed_participants", distances=distances)

    # -- results ------------------------------------------------------------------------------------

    def _result_sets(self, call: Call, partner: int, race_uid: int, with_rows: bool) -> Answer:
        distances = self._asked_events(call, race_uid)
        wanted = call.query.get("individual_result_set_id")
        sets: list[Record] = []
        rows: list[Record] = []
        size = call.number("results_per_page", 50, 2500)
        start = (call.number("page", 1) - 1) * size
        since = epoch(call.query, "modified_after_timestamp")
        for distance in distances:
            if not self.results.has_results(partner, distance) or (
                wanted and wanted != str(self.results.result_set_id(distance))
            ):
                continue
            made = self.results.result_set(partner, distance)
            if call.flag("include_total_finishers"):
                made["num_finishers"] = self.results.finishers(partner, distance)
            sets.append(made)
            if not with_rows:
                continue
            if since is None and not self._narrows(call):
                chosen = list(self.results.slice(partner, distance, start, start + size))
            else:
                everything = self.results.slice(partner, distance, 0, BLOCK)
                matching = (
                    (i, p)
                    for i, p in everything
                    if (since is None or self.results.modified_at(partner, distance, i, p) >= since)
                    and self._wanted(call, self.results.result(partner, distance, i, p))
                )
                chosen = list(matching)[start : start + size]
            made["results"] = [
                self.results.result(partner, distance, i, p, call.flag("supports_nb")) for i, p in chosen
            ]
            rows += made["results"]
        stream = "results" if with_rows else "result_sets"
        return Answer({"individual_results_sets": sets}, rows=rows, stream=stream, distances=distances)

    @staticmethod
    def _narrows(call: Call) -> bool:
        return any(k in call.query for k in ("first_name", "last_name", "gender", "bib_num", "registration_id"))

    @staticmethod
    def _wanted(call: Call, row: Record) -> bool:
        for name in ("first_name", "last_name"):
            if name in call.query and call.query[name].lower() not in str(row[name]).lower():
                return False
        for name, have in (("gender", "gender"), ("bib_num", "bib"), ("registration_id", "registration_id")):
            if name in call.query and str(row[have]) != call.query[name]:
                return False
        return True
