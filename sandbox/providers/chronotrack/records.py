"""An event, a race, an entry: from the world to the record that ChronoTrack sends."""

from __future__ import annotations

from typing import Any

from sandbox import names
from sandbox.providers.chronotrack.wire import (
    ATHLETE_BASE,
    BANDS,
    BRACKET_NAMES,
    ENTRY_BASE,
    EVENT_BASE,
    TEAM_BASE,
    WAVE_BASE,
    band_of,
    bracket_id,
    choice_id,
    entry_id,
    event_id,
    interval_id,
    race_id,
    text,
)
from sandbox.providers.common import Record, View, pushed_id
from sandbox.state import Changes, Roster
from sandbox.world import BLOCK, CHRONOTRACK, PARTNERS, START, Distance, Entrant, is_hole

TEST_ENTRY = BLOCK - 10


class Records(View):
    """Events, races and entries of the world in ChronoTrack's words."""

    name = CHRONOTRACK

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the entries of a race: withdrawn ones stay."""
        return Roster(distance.entered, 0, self.changes(partner, distance))

    # -- which there are ----------------------------------------------------------------------------

    def event_uids(self, partner: int, tests: bool = False) -> list[int]:
        """Return the events of a partner's account."""
        source = self.state.source
        return [u for u in source.uids(partner) if self.is_listed(u) and (tests or not source.occasion(u).is_test)]

    def occasion_uid(self, event_id: str) -> int | None:
        """Return the occasion behind an id, or None."""
        if not event_id.isdigit() or not any(self.state.source.serves(p, int(event_id) - EVENT_BASE) for p in PARTNERS):
            return None
        uid = int(event_id) - EVENT_BASE
        return uid if self.is_listed(uid) else None

    def distances(self, uid: int) -> list[Distance]:
        """Return the races of an event."""
        return self.state.source.occasion(uid).distances

    def numbered(self, base: int, number: str, per: int = 1) -> Distance | None:
        """Return the distance behind an id that counts from a base, so many to a distance; None where there is none."""
        if not number.isdigit() or int(number) < base:
            return None
        distance = self.state.source.distance((int(number) - base) // per)
        if distance is None or not self.is_listed(distance.uid // 4):
            return None
        return distance

    def locate(self, entry_id: Any) -> tuple[Distance, int] | None:
        """Return where an entry id belongs."""
        number = str(entry_id)
        distance = self.numbered(ENTRY_BASE, number, BLOCK)
        return (distance, (int(number) - ENTRY_BASE) % BLOCK) if distance else None

    # -- events and races ---------------------------------------------------------------------------

    def event(self, partner: int, uid: int) -> Record:
        """Return an event as ChronoTrack writes it."""
        occasion = self.state.source.occasion(uid)
        changed = self.occasion_changes(partner, occasion)
        city, region, _, country, zone = occasion.venue
        return {
            "event_id": event_id(uid),
            "event_name": changed.name or occasion.name,
            "event_type": "run",
            "event_is_published": "0" if occasion.phase == "future" and uid % 4 == 0 else "1",
            "event_start_time": str(occasion.start + changed.shift),
            "event_end_time": str(occasion.end + changed.shift),
            "location_street": "",
            "location_city": city,
            "location_region": region,
            "location_country": country,
            "location_time_zone": zone,
        }

    def race(self, partner: int, distance: Distance) -> Record:
        """Return a race (a distance) as ChronoTrack writes it."""
        occasion = self.state.source.occasion(distance.uid // 4)
        changed = self.occasion_changes(partner, occasion)
        scored = self.changes(partner, distance).scored(distance)
        start = distance.start + changed.shift
        return {
            "race_id": race_id(distance),
            "event_id": event_id(occasion.uid),
            "race_name": distance.name,
            "race_tag": distance.name.upper().replace(" ", "")[:8],
            "race_type": "running",
            "race_subtype": "",
            "race_course_distance": f"{distance.course.metres:g}",
            "race_pref_distance_unit": "kilometers" if distance.name.endswith("K") else "miles",
            "race_planned_start_time": str(start),
            "race_planned_end_time": str(start + distance.course.slowest + 1800),
            "race_actual_start_time": str(start) if scored or distance.start <= START else "",
            "race_actual_end_time": str(occasion.end + changed.shift) if scored >= distance.finishers else "",
            "race_age_ref_time": str(start),
        }

    def intervals(self, partner: int, distance: Distance) -> list[Record]:
        """Return the intervals of a race."""
        named = [*distance.course.splits, ("Full Course", distance.course.metres)]
        return [
            {
                "interval_id": interval_id(distance, n),
                "interval_name": name,
                "race_id": race_id(distance),
                "race_name": distance.name,
                "event_id": event_id(distance.uid // 4),
                "interval_iv_distance_m": f"{metres:g}",
                "interval_is_full": "1" if n == len(distance.course.splits) else "0",
            }
            for n, (name, metres) in enumerate(named)
        ]

    def brackets(self, partner: int, distance: Distance) -> list[Record]:
        """Return the brackets of a race."""
        return [
            {
                "bracket_id": bracket_id(distance, n),
                "bracket_name": name,
                "bracket_type": kind,
                "bracket_wants_leaderboard": "1" if kind != "AGE" else "0",
                "race_id": race_id(distance),
                "event_id": event_id(distance.uid // 4),
            }
            for n, (name, kind) in enumerate(BRACKET_NAMES)
        ]

    def waves(self, distance: Distance) -> list[Record]:
        """Return the waves of a race."""
        return [
            {
                "wave_id": str(WAVE_BASE + distance.uid * 4 + n),
                "wave_name": f"Wave {n + 1}",
                "wave_start_time": str(distance.start + 600 * n),
                "race_id": race_id(distance),
                "race_name": distance.name,
                "event_id": event_id(distance.uid // 4),
            }
            for n in range(2)
        ]

    def choice(self, distance: Distance) -> Record:
        """Return the registration option of a race."""
        return {
            "reg_choice_id": choice_id(distance),
            "reg_choice_name": f"{distance.name} Early",
            "race_id": race_id(distance),
            "event_id": event_id(distance.uid // 4),
        }

    # -- entries ------------------------------------------------------------------------------------

    def entrant(self, partner: int, distance: Distance, index: int) -> Entrant:
        """Return who entered."""
        changes = self.changes(partner, distance)
        return self.state.source.timer_copy(distance, index, changes.persons.get(index))

    def status(  # noqa: PLR0911
        self, changes: Changes, distance: Distance, index: int, flaw: int = 0
    ) -> str:
        """Return an entry's status."""
        if index in changes.status:
            return changes.status[index]
        if flaw == 4:
            return "LOST"
        position = self.state.source.position_of(distance, index)
        scored = changes.scored(distance)
        if position is None:
            if index < distance.own and is_hole(index):
                return "TRANS" if index % 100 == 57 else "WD"
            return "FIN" if index in changes.corrected else "CONF"
        if position < scored or index in changes.corrected:
            return "FIN"
        if scored < distance.finishers:
            return "PEND" if distance.start > START and index % 17 == 4 else "CONF"
        if position < distance.finishers + distance.did_not_finish:
            return "DNF"
        return "DQ" if position < distance.finishers + distance.did_not_finish + distance.disqualified else "DNS"

    def bracket_name(self, entrant: Entrant) -> str:
        """Return the bracket an entry is ranked in first."""
        return f"{entrant.gender}{BANDS[band_of(entrant.age)]}" if entrant.gender in ("F", "M") else "Non-binary"

    def entry(self, partner: int, distance: Distance, index: int) -> Record:
        """Return an entry with all its fields, empty ones included."""
        changes = self.changes(partner, distance)
        occasion = self.state.source.occasion(distance.uid // 4)
        if index >= TEST_ENTRY:
            who = Entrant(0, "Test", None, "Runner", "", None, None, None, None, None, "", "", "", "", "", 0, None, ())
        else:
            who = self.entrant(partner, distance, index)
        first, last = who.first.strip(), who.last.strip()
        status = self.status(changes, distance, index, who.flaw)
        linked = index < distance.registered and index % 9 != 4
        record = {
            "entry_id": entry_id(distance, index),
            "event_id": event_id(occasion.uid),
            "race_id": race_id(distance),
            "athlete_id": str(ATHLETE_BASE + who.person * 2 + who.account),
            # Registration platforms push their own id with the entry; a few were typed in by hand.
            "entry_external_id": pushed_id(occasion, distance, index) if linked else "",
            "entry_name": f"{first} {last}".strip().upper(),
            "entry_type": "TEST" if index >= TEST_ENTRY else "IND",
            "entry_status": status,
            "entry_bib": who.bib,
            "entry_race_age": text(who.age),
            "athlete_first_name": who.first,
            "athlete_last_name": who.last,
            "athlete_sex": who.gender,
            "athlete_birthdate": who.dob.isoformat() if who.dob else "",
            "athlete_email": text(who.email),
            "athlete_home_phone": "",
            "athlete_mobile_phone": text(who.phone),
            "location_street": text(who.street),
            "location_street2": "",
            "location_city": who.city,
            "location_region": who.region,
            "location_postal_code": who.postal,
            "location_country": who.country,
            "bracket_name": self.bracket_name(who),
            "wave_name": f"Wave {1 + index % 2}",
            "race_name": distance.name,
            "reg_choice_id": choice_id(distance),
            "reg_choice_name": f"{distance.name} Early",
            "team_id": str(TEAM_BASE + names.TEAMS.index(who.team)) if who.team else "",
            "team_name": text(who.team),
        }
        patch = changes.patches.get(index)
        return record | {k: text(v) for k, v in patch.items()} if patch else record
