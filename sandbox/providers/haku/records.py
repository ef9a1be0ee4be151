"""An event, a full registration, a thin participant: from the season to the records that Haku sends."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.providers.common import Record, View
from sandbox.providers.haku.wire import (
    ACCOUNT_BASE,
    DISTANCES,
    EVENT_BASE,
    GENDERS,
    category_id,
    day,
    event_id,
    money,
    place_of,
    price,
    registration_number,
    stamp,
)
from sandbox.state import Changes, Roster, State
from sandbox.world import ADDED, HAKU, START, Distance, Entrant, Occasion, is_hole

SHIRTS = (("Small", "S"), ("Medium", "M"), ("Large", "L"), (None, None))
MEALS = (None, "Vegetarian", "No nuts", "")
HEARD = ("A friend", "Online", None)
# Which registrations the quirks of single records take: every so many.
NULL_ADDRESS_EVERY, TWO_CATEGORIES_EVERY = 7, 9


class Records(View):
    """Events and registrations of the season in Haku's words."""

    name = HAKU

    def __init__(self, state: State, quirks: Record) -> None:
        """Tell of this state, with these surprises."""
        super().__init__(state)
        self.quirks = quirks

    # -- events -------------------------------------------------------------------------------------

    def event_uids(self, partner: int) -> list[int]:
        """Return the occasions of a partner's organisation."""
        return [uid for uid in self.state.season.uids(partner) if self.is_listed(uid)]

    def occasion_uid(self, given: Any) -> int | None:
        """Return the occasion behind an event's id, or None."""
        text = str(given)
        uid = int(text) - EVENT_BASE if text.isascii() and text.isdigit() else -1
        known = any(self.state.season.serves(partner, uid) for partner in (1, 2)) if uid >= 0 else False
        return uid if known and self.is_listed(uid) else None

    def distances(self, uid: int) -> list[Distance]:
        """Return the categories of an event."""
        return self.state.season.occasion(uid).distances

    def is_active(self, occasion: Occasion) -> bool:
        """Return whether an event is listed without show_inactive; those that are over are not."""
        return occasion.phase != "past"

    def event_updated_at(self, partner: int, occasion: Occasion) -> int:
        """Return when an event was last touched; it is not part of its record."""
        return max(self.occasion_changes(partner, occasion).modified, min(occasion.opens + 3 * 86400, START - 3600))

    def event(self, partner: int, occasion: Occasion) -> Record:
        """Return an event as Haku writes it."""
        changed = self.occasion_changes(partner, occasion)
        start, end = occasion.start + changed.shift, occasion.end + changed.shift
        city, region, _, country, _ = occasion.venue
        longest = max(occasion.distances, key=lambda d: d.course.metres)
        fee = longest.course.fee * 100
        # Dates come as days or as date-times; the time is the instant in UTC, since no zone is ever told.
        dated = occasion.phase == "past"
        local = datetime.fromtimestamp(start, occasion.zone).date()
        return {
            "id": event_id(occasion.uid),
            "name": changed.name or occasion.name,
            "description": f"<p>Along the water in <b>{city}</b>.</p>",
            "event_date": stamp(start, 1) if dated else day(local),
            "event_end_date": stamp(end, 1) if dated else None,
            "location_name": f"{city} Waterfront",
            "location_city": city,
            "location_state": region,
            "location_country": country,
            "event_type": "running" if occasion.uid % 2 == 0 else None,
            "distance": DISTANCES.get(longest.name, longest.name),
            "registration_limit": 5000,
            "registration_open_date": self.time(occasion.opens, 0),
            "registration_close_date": self.time(occasion.closes, 2),
            "base_price": fee / 100 if dated else price(fee + 95_000 if occasion.uid % 2 else fee),
            "currency": "USD",
            "status": "active" if self.is_active(occasion) else "inactive",
        }

    def time(self, at: int, style: int) -> str:
        """Return an instant; with a switch in the way that a Rails server usually writes it."""
        return stamp(at, style, self.quirks["haku_fractional_times"])

    # -- registrations ------------------------------------------------------------------------------

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the registrations that are listed: those taken back stay."""
        return Roster(distance.registered, 0, self.changes(partner, distance))

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where a registration number belongs, or None."""
        found = place_of(given)
        distance = self.state.season.distance(found[0]) if found else None
        if found is None or distance is None or not self.is_listed(distance.uid // 4):
            return None
        return (distance, found[1]) if found[1] < distance.registered or found[1] >= ADDED else None

    def cancelled(self, partner: int, distance: Distance, index: int) -> tuple[str, int] | None:
        """Return how and when a registration was cancelled; None for one that stands."""
        changes = self.changes(partner, distance)
        if index in changes.status:
            return changes.status[index], changes.modified[index]
        if index < distance.own and is_hole(index) and index not in changes.restored:
            return self.state.season.removal(distance, index)[:2]
        return None

    def updated_at(self, partner: int, distance: Distance, index: int) -> int:
        """Return when a registration was last touched."""
        changes = self.changes(partner, distance)
        if index in changes.modified:
            return changes.modified[index]
        at = self.state.season.modified_at(distance, index)
        gone = self.cancelled(partner, distance, index)
        return max(at, gone[1]) if gone else at

    def registered_at(self, changes: Changes, distance: Distance, index: int) -> int:
        """Return when a registration was made."""
        return changes.added_at.get(index) or self.state.season.registered_at(distance, index)

    def person(self, entrant: Entrant, partner: int, distance: Distance, index: int, created: int, at: int) -> Record:
        """Return the participant inside a registration."""
        address: Record | None = {
            "line1": entrant.street,
            "line2": None,
            "city": entrant.city,
            "state": entrant.region,
            "zip_code": entrant.postal,
            "country": entrant.country,
        }
        if self.quirks["haku_null_address"] and index % NULL_ADDRESS_EVERY == 0:
            address = None
        heard = HEARD[entrant.luck[27] % len(HEARD)]
        return {
            "account_number": f"A-{ACCOUNT_BASE + entrant.person * 2 + entrant.account:06d}",
            "source_system_identifier": None,
            "first_name": entrant.first,
            "middle_initial": (entrant.middle or "")[:1],
            "last_name": entrant.last,
            "email": entrant.email,
            "phone": entrant.phone,
            "dob": entrant.dob.isoformat() if entrant.dob else None,
            "gender": "Q" if entrant.flaw == 4 else GENDERS.get(entrant.gender),
            "created_at": self.time(created, index),
            "updated_at": self.time(at, index + 1),
            "additional_questions": [{"id": 31, "question": "How did you hear about us?", "answer": heard}],
            "address": address,
        }

    def category(self, distance: Distance, index: int, bib: str | None, created: int, at: int) -> Record:
        """Return one category that a registration is in."""
        wave = index % 3
        return {
            "id": category_id(distance),
            "name": distance.name,
            "master_name": distance.name.split()[0],
            "is_active": True,
            "participation_option": "In person",
            "corral_name": "ABC"[wave] if bib else None,
            "wave_name": f"Wave {wave + 1}" if bib else None,
            "wave_code": str(wave + 1) if bib else None,
            "tag_number": bib,
            # A chip's number has nothing to do with the bib; some have one before there is a bib.
            "chip_number": f"C{90_000 + index}" if index % 4 == 0 else None,
            "created_at": self.time(created, index + 2),
            "updated_at": self.time(at, index),
        }

    def categories(self, partner: int, distance: Distance, index: int, bib: str | None, times: tuple[int, int]) -> Any:
        """Return all categories of a registration: one, or more after a switch or with a quirk."""
        found = [self.category(distance, index, bib, *times)]
        others = [d for d in self.distances(distance.uid // 4) if d.uid != distance.uid]
        patch = self.changes(partner, distance).patches.get(index, {})
        for other in others:
            if patch.get("event_category_id") == category_id(other):
                found[0]["is_active"] = False
                # A bib is of a category: the new one has none yet.
                found.append(self.category(other, index, None, times[1], times[1]))
        if self.quirks["haku_two_active_categories"] and index % TWO_CATEGORIES_EVERY == 0 and len(found) < 2:
            found += [self.category(other, index, None, times[1], times[1]) for other in others[:1]]
        return found

    def registration(self, partner: int, distance: Distance, index: int) -> Record:
        """Return a registration in full."""
        changes = self.changes(partner, distance)
        entrant = self.state.season.entrant(distance, index, changes.persons.get(index))
        luck = entrant.luck
        created, at = self.registered_at(changes, distance, index), self.updated_at(partner, distance, index)
        gone = self.cancelled(partner, distance, index)
        cents = (distance.course.fee - (10 if index < distance.own // 2 else 0)) * 100
        charity = (index + distance.uid * 13) % 71 == 20
        amount: Any = money(cents) if index % 3 else cents / 100
        if charity:
            amount = price(115_000)
        if gone is not None and gone[0] == "refunded":
            amount = 0
        shirt = SHIRTS[luck[29] % len(SHIRTS)]
        record: Record = {
            "registration_number": registration_number(distance, index),
            "created_at": self.time(created, index),
            "updated_at": self.time(at, index + 1),
            "is_cancelled": gone is not None,
            "cancelled_at": self.time(gone[1], index) if gone else None,
            "transaction_amount": amount,
            "emergency_contact_name": "Sam Reach" if luck[28] % 2 else None,
            "emergency_contact_phone_number": "555-010-0199" if luck[28] % 2 else None,
            "emergency_contact_relationship": "friend" if luck[28] % 2 else None,
            "shirt_size_name": shirt[0],
            "shirt_size_code": shirt[1],
            "current_pace": None,
            "formatted_submitted_result_time": "1:58:20" if luck[25] % 5 == 0 else None,
            "strava_athlete_identification": None,
            "fundraising_option": "charity" if charity else None,
            "fundraised_amount": "0.00" if charity else None,
            "fundraiser_goal": "1500.00" if charity else None,
            "wants_sms_communications": bool(luck[24] % 2),
            "subscription_number": None,
            "team": {"name": entrant.team} if entrant.team else None,
            "entity": None,
            "club": None,
            "partner": None,
            "device": "mobile" if luck[26] % 2 else "desktop",
            "browser": "Browser",
            "browser_version": "140",
            "os": "OS",
            "os_version": "18",
            "products": [{"id": 5, "name": "Parking", "quantity": 1, "amount": 10.0}] if luck[23] % 6 == 0 else [],
            "additional_questions": [
                {"id": 12, "question": "Dietary needs", "answer": MEALS[luck[22] % len(MEALS)]},
            ],
            "participant": self.person(entrant, partner, distance, index, created, at),
            "event_categories": self.categories(partner, distance, index, entrant.bib or None, (created, at)),
        }
        return merged(record, changes.patches.get(index, {}))

    def participant(self, partner: int, distance: Distance, index: int) -> Record:
        """Return the thin row of a registration in its event's list."""
        changes = self.changes(partner, distance)
        full = self.registration(partner, distance, index)
        who = full["participant"]
        category = next((c for c in full["event_categories"] if c["is_active"]), full["event_categories"][0])
        entrant = self.state.season.entrant(distance, index, changes.persons.get(index))
        record = {
            "registration_number": full["registration_number"],
            "person_full_name": f"{who['first_name']} {who['last_name']}",
            "email": who["email"],
            "gender": who["gender"],
            "age": changes.patches.get(index, {}).get("age", entrant.age),
            "team": full["team"],
            "event_category_info": category["name"],
            "is_cancelled": full["is_cancelled"],
            "registered_at": full["created_at"],
            "transaction_amount": full["transaction_amount"],
            "updated_at": full["updated_at"],
            # Assumed, as the project's field mapping wants it.
            "bib": category["tag_number"],
        }
        if not self.quirks["haku_thin_updated_at"]:
            del record["updated_at"]
        return record


def merged(record: Record, patch: Record) -> Record:
    """Return a registration with changed fields, wherever in it they are."""
    who = record["participant"]
    category = next((c for c in record["event_categories"] if c["is_active"]), record["event_categories"][0])
    for key, value in patch.items():
        if key in ("age", "event_category_id"):
            continue  # the list's own, and what `categories` has shown already
        for place in (record, who, who["address"] or {}, category):
            if key in place and key != "address":
                place[key] = value
                break
        else:
            record[key] = value
    return record
