"""A race, an athlete, a preset's row, a ranking: from the world to the records that Copernico sends."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.providers.common import Record, View, pushed_id
from sandbox.providers.copernico.standings import RETRACTED, Standing, Standings
from sandbox.providers.copernico.wire import (
    ALPHA3,
    FINISH,
    FINISH_TOKEN,
    FULL,
    GENDERS,
    START,
    START_TOKEN,
    athlete_id,
    average,
    category,
    competition_id,
    garbled,
    instant,
    pace,
    place_of,
    slug_of,
)
from sandbox.state import State
from sandbox.world import COPERNICO, PARTNERS, Distance

# Fields of an athlete that a preset shows, and those that only the athlete's own answer has.
SHOWN = ("id", "dorsal", "name", "surname", "gender", "birthdate", "category", "club", "nationality", "importId")
# Custom attributes, by the titles that the organiser gave them.
CUSTOM = ("Talla camiseta", "Teléfono de emergencia")
BASIC = ("dorsal", "name", "surname", "gender", "category", "club")


class Records(View):
    """Races and athletes of the world in Copernico's words."""

    name = COPERNICO

    def __init__(self, state: State, standings: Standings, quirks: Record) -> None:
        """Write from this state; `standings` knows who was seen where."""
        super().__init__(state)
        self.standings = standings
        self.quirks = quirks
        self._slugs: dict[str, int] = {}

    # -- which there are ----------------------------------------------------------------------------

    def uids(self, partner: int) -> list[int]:
        """Return the races of a partner."""
        return [uid for uid in self.state.source.uids(partner) if self.is_listed(uid)]

    def slug(self, uid: int) -> str:
        """Return a race's id: its name and year, which stay when it is renamed."""
        occasion = self.state.source.occasion(uid)
        year = datetime.fromtimestamp(occasion.start, occasion.zone).year
        # Some begin with dashes; a slug that is taken gets a number.
        return ("--" if uid % 8 == 2 else "") + slug_of(occasion.name, year) + ("-2" if uid % 2 else "")

    def uid_of(self, slug: str) -> int | None:
        """Return the occasion behind a slug; None for one that nobody gave out."""
        if not self._slugs:
            self._slugs = {self.slug(uid): uid for partner in PARTNERS for uid in self.uids(partner)}
        return self._slugs.get(slug)

    def owner(self, uid: int) -> int:
        """Return whose race it is."""
        return next(partner for partner in PARTNERS if self.state.source.serves(partner, uid))

    def distances(self, uid: int) -> list[Distance]:
        """Return the events of a race."""
        return self.state.source.occasion(uid).distances

    def event_name(self, partner: int, distance: Distance) -> str:
        """Return an event's name, which is its id inside the race."""
        changed = self.occasion_changes(partner, self.state.source.occasion(distance.uid // 4))
        return changed.names.get(distance.number, distance.name)

    def event_id(self, partner: int, distance: Distance) -> str:
        """Return how control and the target API call an event."""
        return f"{self.slug(distance.uid // 4)}:{self.event_name(partner, distance)}"

    def event_at(self, partner: int, uid: int, name: str) -> Distance | None:
        """Return the event of this name; matched exactly, as clients have met it."""
        return next((d for d in self.distances(uid) if self.event_name(partner, d) == name), None)

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where an athlete's id belongs."""
        found = place_of(str(given))
        distance = self.state.source.distance(found[0]) if found else None
        return (distance, found[1]) if distance and found and self.is_listed(distance.uid // 4) else None

    # -- races --------------------------------------------------------------------------------------

    def gun(self, partner: int, distance: Distance) -> int:
        """Return when an event starts or started."""
        return distance.start + self.occasion_changes(partner, self.state.source.occasion(distance.uid // 4)).shift

    def race(self, partner: int, uid: int) -> Record:
        """Return a race; only its first four fields were ever seen."""
        occasion = self.state.source.occasion(uid)
        changed = self.occasion_changes(partner, occasion)
        status = {"past": "finished", "live": "running", "future": "notstarted"}[occasion.phase]
        begins = occasion.start + changed.shift
        record: Record = {
            "id": self.slug(uid),
            "name": changed.name or occasion.name,
            "status": status,
            "date": datetime.fromtimestamp(begins, occasion.zone).date().isoformat(),
        }
        if self.quirks["copernico_rich_races"]:
            city, region, _, country, zone = occasion.venue
            record |= {
                "competitionId": competition_id(uid),
                "location": f"{city}, {region}",
                "country": ALPHA3.get(country, country),
                "timezone": zone,
                "events": [self.event_name(partner, d) for d in self.distances(uid)],
            }
        return record

    # -- athletes -----------------------------------------------------------------------------------

    def athlete(self, partner: int, standing: Standing) -> Record:
        """Return who an athlete is, in the fields that all answers share."""
        distance, index, who = standing.distance, standing.index, standing.who
        changes = self.changes(partner, distance)
        occasion = self.state.source.occasion(distance.uid // 4)
        first, last = who.first.strip(), who.last.strip()
        linked = index < distance.registered and index % 9 != 4
        record: Record = {
            "id": athlete_id(distance, index),
            "dorsal": who.bib,
            "name": first,
            "surname": last,
            "gender": GENDERS[who.gender],
            "birthdate": who.dob.isoformat() if who.dob else None,
            "category": category(who.gender, who.age),
            "club": who.team or "",
            "nationality": ALPHA3.get(who.country, who.country),
            "importId": pushed_id(occasion, distance, index) if linked else "",
            "e-mail": who.email,
            "phone": who.phone,
            "document": f"D{who.person * 7919 % 10**8:08d}",
            CUSTOM[0]: "SMLX"[who.person % 4],
            CUSTOM[1]: f"555-0{who.person % 1000:03d}",
        }
        record |= changes.patches.get(index, {})
        record |= {k: v for k, v in changes.result_patches.get(index, {}).items() if k != RETRACTED}
        if self.quirks["copernico_mojibake"] and index % 3 == 0:
            # Few of the names have letters that can be garbled.
            record |= {field: garbled(record[field]) for field in ("name", "surname", "club") if record[field]}
        return record

    def standing_of(self, partner: int, distance: Distance, index: int) -> Standing | None:
        """Return an athlete's standing; None for one who is not there (any more)."""
        return self.standings.of(partner, distance).get(index)

    def preset_row(self, partner: int, standing: Standing, preset: str) -> Record:
        """Return an athlete as a preset shows it: a flat object with the columns that were chosen for it."""
        fields = self.athlete(partner, standing)
        named = BASIC if preset == "basic" else SHOWN
        row: Record = {name: fields[name] for name in named}
        row |= {"event": self.event_name(partner, standing.distance), "status": standing.status}
        if preset == "people":
            return row | {name: fields[name] for name in CUSTOM}
        gun = self.gun(partner, standing.distance)
        splits = [*(name for name, _ in standing.distance.course.splits), FINISH_TOKEN]
        # A mat that was not passed is null in one row and 0 in another.
        unseen = 0 if standing.index % 2 else None
        if preset != "basic":
            row[f"times.official_{START_TOKEN}"] = unseen if standing.offset is None else standing.offset
        for mat, name in enumerate(splits):
            official, real = standing.passed[mat], standing.net(mat)
            if mat == len(splits) - 1:
                official, real = flawed(standing, official, real)
            row[f"times.official_{name}"] = unseen if official is None else official
            row[f"times.real_{name}"] = unseen if real is None else real
            if preset != "basic" and isinstance(official, int):
                row[f"times.tod_{name}"] = gun * 1000 + official
        ranks, net = standing.ranks[-1], standing.net_ranks[-1]
        for number, kind in enumerate(("_", ".gen_", ".cat_")):
            row[f"rankings{kind}{FULL}"] = ranks[number] if ranks else None
            if preset != "basic":
                row[f"netrankings{kind}{FULL}"] = net[number] if net else None
        row[f"intervalaverages_{FULL}"] = pace(standing.finish, standing.distance.course.metres)
        return row

    def full(self, partner: int, standing: Standing) -> Record:
        """Return an athlete's own answer: what concerns the sport in `events`, or beside the rest in the demo."""
        fields = self.athlete(partner, standing)
        distance = standing.distance
        gun = self.gun(partner, distance)
        mats = [*distance.course.splits, (FINISH, distance.course.metres)]
        seen = [name for mat, (name, _) in enumerate(mats) if standing.passed[mat] is not None]
        if standing.offset is not None:
            seen.insert(0, START)
        custom = {name: fields[name] for name in CUSTOM}
        person = {
            name: fields[name]
            for name in (
                "id", "name", "surname", "gender", "birthdate", "nationality", "club", "document", "phone", "e-mail",
                "importId",
            )
        }  # fmt: skip
        data: Record = person | {
            "fullName": f"{fields['name']} {fields['surname']}",
            "featured": False,
            "user_id": None,
            "locations": [START, *(name for name, _ in mats)],
            **custom,
        }
        entry: Record = {
            "event": self.event_name(partner, distance),
            "dorsal": fields["dorsal"],
            "chip": [fields["dorsal"]] if fields["dorsal"] else [],
            "category": fields["category"],
            "auto_category": True,
            "auto_chip": True,
            "attributes": {},
            "team": "",
            "team_type": [],
            "status": standing.status,
            "realStatus": standing.status,
            "wave": f"Wave {1 + standing.index % 2}",
            "gunTime": instant(gun),
            "gunTimeMode": "wave",
            "startTime": standing.offset,
            "startRawTime": None if standing.offset is None else gun * 1000 + standing.offset,
            "startNetTime": 0 if standing.offset is not None else None,
            "waveTime": 0,
            "distance": distance.course.metres,
            "splitsSeen": len(seen),
            "splitsMissing": len(mats) + 1 - len(seen),
            "maxConsecutiveSplitsMissing": 0,
            "issuesCount": {"data": 0, "times": 0},
            "last_split_seen": seen[-1] if seen else None,
            "times": self._times(standing, gun, mats),
            "rankings": self._rankings(standing, gun, mats),
            "calculatedTimes": {},
            "predictive": {},
            "backups": {},
            "mst": [],
            "penalties": [],
            "custom-rankings": [],
        }
        return data | entry if self.quirks["copernico_demo_nesting"] else data | {"events": [entry]}

    @staticmethod
    def _times(standing: Standing, gun: int, mats: list[tuple[str, float]]) -> Record:
        times: Record = {}
        if standing.offset is not None:
            times[START] = {
                "split": START, "order": 0, "distance": 0, "time": standing.offset, "netTime": 0,
                "rawTime": gun * 1000 + standing.offset,
            }  # fmt: skip
        for mat, (name, metres) in enumerate(mats):
            official, real = standing.passed[mat], standing.net(mat)
            if official is None or real is None:
                continue
            shown, net = flawed(standing, official, real) if mat == len(mats) - 1 else (official, real)
            times[name] = {
                "split": name,
                "order": mat + 1,
                "distance": metres,
                "time": shown,
                "netTime": net,
                "average": average(official, metres),
                "averageNet": average(real, metres),
                "rawTime": gun * 1000 + official,
            }
        return times

    @staticmethod
    def _rankings(standing: Standing, gun: int, mats: list[tuple[str, float]]) -> Record:
        rankings: Record = {}
        for mat, (name, metres) in enumerate(mats):
            ranks, net_ranks = standing.ranks[mat], standing.net_ranks[mat]
            official, real = standing.passed[mat], standing.net(mat)
            if official is None:
                continue
            rankings[name] = {
                "time": official,
                "net": real,
                "average": average(official, metres),
                "averageNet": average(real, metres),
                "location": name,
                "rawTime": gun * 1000 + official,
                # 0 is not ranked.
                **dict(zip(("pos", "posGen", "posCat"), ranks or (0, 0, 0), strict=True)),
                **dict(zip(("posNet", "posGenNet", "posCatNet"), net_ranks or (0, 0, 0), strict=True)),
            }
        return rankings

    def file_row(self, partner: int, standing: Standing) -> Record:
        """Return an athlete of a ranking file."""
        full = self.full(partner, standing)
        entry = full["events"][0] if "events" in full else full
        row = {name: full[name] for name in ("id", "name", "surname", "fullName", "gender", "nationality")}
        row |= {name: entry[name] for name in ("dorsal", "category", "status", "rankings", "custom-rankings")}
        row["times"] = {
            split: {"netTime": seen["netTime"], "time": seen["time"]} for split, seen in entry["times"].items()
        }
        if full["club"]:
            row["club"] = full["club"]
        return row

    def leader(self, partner: int, standing: Standing, place: int) -> Record:
        """Return a row of the leaders."""
        fields = self.athlete(partner, standing)
        metres = standing.distance.course.metres
        finish = standing.finish or 0
        return {
            **{name: fields[name] for name in ("id", "dorsal", "name", "surname", "club", "category")},
            "time": finish,
            "average": average(finish, metres),
            "split": FINISH,
            "location": FINISH,
            "rawTime": self.gun(partner, standing.distance) * 1000 + finish,
            "pos": place,
        }


def flawed(standing: Standing, official: int | None, real: int | None) -> tuple[Any, Any]:
    """Return the finish as sent: a few are what a gate should stop."""
    if official is None or not standing.flaw:
        return official, real
    return {1: ("1:6x:22", real), 2: (official, official + 60_000), 3: (official, -191_000)}[standing.flaw]
