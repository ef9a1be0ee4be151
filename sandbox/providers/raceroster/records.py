"""An event, a sub-event, a participant: from the season to the record that Race Roster sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from sandbox.providers.common import Record, View
from sandbox.providers.raceroster.wire import (
    CREW_BASE,
    EVENT_NUMBER_BASE,
    GENDERS,
    PARTICIPANT_BASE,
    REGISTRATION_BASE,
    SEASON_STATUSES,
    TRANSACTION_BASE,
    dollars,
    event_id,
    instant,
    participant_id,
    public_code,
    sub_event_id,
    uid_of_event,
)
from sandbox.state import Changes, Roster, State
from sandbox.world import BLOCK, PARTNERS, RACEROSTER, START, Distance, Entrant, Occasion, is_hole

DAY = 86_400
# These ended for good: money may be gone, the row is not.
CLOSED = ("transferred", "deferred", "cancelled", "refunded", "removed")
BRANDING = (
    "logo", "backgroundImage", "backgroundPattern", "backgroundColor", "primaryColor", "primaryFontColor",
    "secondaryColor", "secondaryFontColor", "tertiaryColor", "tertiaryFontColor",
)  # fmt: skip


class Records(View):
    """Events, sub-events and participants of the season in Race Roster's words."""

    name = RACEROSTER

    def __init__(self, state: State, quirks: Record) -> None:
        """Look at this state, with these surprises."""
        super().__init__(state)
        self.quirks = quirks

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the participants of a sub-event: whoever was taken back stays, unless it left no trace."""
        changes = self.changes(partner, distance)
        untraced = {index: removal for index, removal in changes.removed.items() if not removal.reason}
        return Roster(distance.registered, 0, replace(changes, removed=untraced))

    # -- which there are ----------------------------------------------------------------------------

    def event_uids(self, partner: int) -> list[int]:
        """Return the events of a partner's account, past ones included."""
        return [uid for uid in self.state.season.uids(partner) if self.is_listed(uid)]

    def is_ahead(self, partner: int, uid: int) -> bool:
        """Return whether an event is in the list, which a day in the past is not (section 3.1).

        That it stays until its own day is over is assumed.
        """
        occasion = self.state.season.occasion(uid)
        start = occasion.start + self.occasion_changes(partner, occasion).shift
        day, today = (datetime.fromtimestamp(at, occasion.zone).date() for at in (start, self.state.now))
        return day >= today

    def occasion_uid(self, given: str) -> int | None:
        """Return the occasion behind an event's id, or None."""
        uid = uid_of_event(given)
        return uid if uid is not None and self.is_known(uid) else None

    def is_known(self, uid: int) -> bool:
        """Return whether there is an occasion of this number, and it is listed here."""
        return any(self.state.season.serves(partner, uid) for partner in PARTNERS) and self.is_listed(uid)

    def distances(self, uid: int) -> list[Distance]:
        """Return the distances of an event."""
        return self.state.season.occasion(uid).distances

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where a participant's id belongs, or None."""
        if not str(given).isdigit() or int(given) < PARTICIPANT_BASE:
            return None
        uid, index = divmod(int(given) - PARTICIPANT_BASE, BLOCK)
        distance = self.state.season.distance(uid)
        known = distance is not None and self.is_listed(distance.uid // 4)
        return (distance, index) if distance is not None and known else None

    # -- events and sub-events ----------------------------------------------------------------------

    def event_modified_at(self, partner: int, uid: int) -> int:
        """Return when an event was last touched."""
        occasion = self.state.season.occasion(uid)
        at = min(occasion.opens + 3 * DAY + uid % 997 * 60, START - 3600)
        return max(at, self.occasion_changes(partner, occasion).modified)

    def event(self, partner: int, uid: int) -> Record:
        """Return an event with its sub-events as Race Roster writes it."""
        occasion = self.state.season.occasion(uid)
        changed = self.occasion_changes(partner, occasion)
        city, region, postal, country, zone = occasion.venue
        name = changed.name or occasion.name
        start = occasion.start + changed.shift
        if self._time_unset(occasion):
            # Midnight there: the day is known, and the time was not set (section 7, 8).
            start -= (datetime.fromtimestamp(start, occasion.zone).hour * 60 + 30) * 60
        colon = uid % 4 < 2
        number = EVENT_NUMBER_BASE + uid
        year = datetime.fromtimestamp(start, occasion.zone).year
        nested = [self.sub_event(partner, distance) for distance in occasion.distances]
        nested.append(self.crew(partner, occasion))
        return {
            "eventId": event_id(uid),
            "type": "event",
            "name": name,
            "city": city,
            "address": f"{1 + uid % 90} Finish Line Way, {city}, {region} {postal}",
            "description": f"<p>Run with us in {city}. <b>No headphones.</b></p>",
            "locale": "en",
            "region": {"code": region, "name": region},
            "country": {"code": country, "name": {"US": "United States"}.get(country, country)},
            "startDate": instant(start, occasion.zone, colon),
            "timeZone": zone,
            "registrationOpenDate": instant(occasion.opens, occasion.zone, True),
            "registrationCloseDate": instant(occasion.start - 2 * DAY, occasion.zone, not colon),
            "lastModifiedDate": instant(self.event_modified_at(partner, uid), occasion.zone, True),
            "url": f"https://raceroster.example/events/{year}/{number}/{'-'.join(name.lower().split())}",
            "organizerName": PARTNERS[partner][0],
            "organizerEmail": f"races@{PARTNERS[partner][1]}.example",
            "organizerPhone": None,
            "organizerDashboardUrl": None,
            "latitude": 40.0 + uid % 700 / 100,
            "longitude": f"{-80.0 + uid % 900 / 100:.4f}",
            "facebook": None,
            "twitter": None,
            # That the code of the results service is the end of this address is assumed.
            "resultsUrl": (
                f"https://results.raceroster.example/v2/en-US/race/{public_code(uid)}"
                if occasion.start <= self.state.now
                else None
            ),
            "branding": dict.fromkeys(BRANDING) | {"primaryColor": "#1c6e8c"},
            "subEvents": nested if self.quirks["raceroster_sub_events_bare"] else {"data": nested},
        }

    @staticmethod
    def _time_unset(occasion: Occasion) -> bool:
        return occasion.phase == "future"

    def sub_event(self, partner: int, distance: Distance) -> Record:
        """Return a distance; many of its numbers are texts (section 5.2)."""
        occasion = self.state.season.occasion(distance.uid // 4)
        changed = self.occasion_changes(partner, occasion)
        metres = distance.course.metres
        miles = distance.name in ("Half Marathon", "Marathon", "Kids Mile")
        value, unit = (f"{metres / 1609.344:.2f}", "mi") if miles else (f"{metres / 1000:g}", "km")
        number = sub_event_id(distance)
        later = distance.start != occasion.start or self._time_unset(occasion)
        return {
            "subEventId": str(number) if self.quirks["raceroster_ids_as_text"] else number,
            "name": changed.names.get(distance.number) or distance.name,
            "maxParticipants": str(distance.own * 2),
            "participantMinAge": "16",
            "participantMaxAge": 99,
            "subEventDistance": {
                "id": distance.number + 1,
                "type": "running",
                "label": distance.name,
                "value": value,
                "unit": unit,
                "inMeters": f"{metres:.2f}",
            },
            "distance": value,
            "distanceType": unit,
            "customSubEventDate": instant(distance.start + changed.shift, occasion.zone, False) if later else None,
        }

    def crew(self, partner: int, occasion: Occasion) -> Record:
        """Return the volunteers, who appear as one more sub-event of no length (section 5.2)."""
        number = CREW_BASE + occasion.uid
        return {
            "subEventId": str(number) if self.quirks["raceroster_ids_as_text"] else number,
            "name": "Volunteer Crew",
            "maxParticipants": 40,
            "participantMinAge": "14",
            "participantMaxAge": None,
            "subEventDistance": None,
            "distance": "0",
            "distanceType": "km",
            "customSubEventDate": None,
        }

    def sub_events(self, partner: int, uid: int) -> list[Record]:
        """Return an event's sub-events as they are nested in it."""
        nested = self.event(partner, uid)["subEvents"]
        found: list[Record] = nested if isinstance(nested, list) else nested["data"]
        return found

    # -- participants -------------------------------------------------------------------------------

    def listed(self, partner: int, uid: int, newest_first: bool = False) -> Iterator[tuple[Distance, int]]:
        """Yield the participants of an event, one sub-event after the other, by id."""
        for distance in self.distances(uid):
            roster = self.roster(partner, distance)
            count = len(roster)
            for index in roster.slice_newest_first(0, count) if newest_first else roster.slice(0, count):
                yield distance, index

    def status(self, changes: Changes, distance: Distance, index: int) -> str:
        """Return a registration's status (section 4, assumed)."""
        if index in changes.removed:
            return changes.removed[index].reason
        if index in changes.status:
            return changes.status[index]
        if index < distance.own and is_hole(index):
            return SEASON_STATUSES[self.state.season.removal(distance, index)[0]]
        ahead = self.state.season.occasion(distance.uid // 4).phase == "future"
        return "pending" if ahead and index % 17 == 4 else "active"

    def modified_at(self, changes: Changes, distance: Distance, index: int) -> int:
        """Return when a participant was last touched."""
        if index in changes.modified:
            return changes.modified[index]
        if index < distance.own and is_hole(index):
            return self.state.season.removal(distance, index)[1]
        return self.state.season.modified_at(distance, index)

    def entrant(self, changes: Changes, distance: Distance, index: int) -> Entrant:
        """Return who registered."""
        return self.state.season.entrant(distance, index, changes.persons.get(index))

    def _ends(self, changes: Changes, distance: Distance, index: int) -> tuple[int | None, int | None]:
        """Return the participants a transfer went to and came from."""
        to, came = changes.successors.get(index), changes.predecessors.get(index)
        if to is None and index < distance.own and is_hole(index):
            target = self.state.season.removal(distance, index)[2]
            to = participant_id(*target) if target else None
        if came is None and distance.own <= index < distance.registered:
            came = participant_id(*self.state.season.origin(distance, index))
        return to, came

    def participant(self, partner: int, distance: Distance, index: int) -> Record:
        """Return a participant as Race Roster writes it (section 5.3, mostly assumed)."""
        changes = self.changes(partner, distance)
        entrant = self.entrant(changes, distance, index)
        luck = entrant.luck
        occasion = self.state.season.occasion(distance.uid // 4)
        number = distance.uid * BLOCK + index
        status = self.status(changes, distance, index)
        registered = changes.added_at.get(index) or self.state.season.registered_at(distance, index)
        to, came = self._ends(changes, distance, index)
        # A few keep their reasons to themselves.
        gender = GENDERS[""] if number % 61 == 30 else GENDERS.get(entrant.gender, 0)
        fee = (distance.course.fee - (10 if index < distance.own // 2 else 0)) * 105
        paid = fee if status != "refunded" else 0
        payment = "refunded" if status == "refunded" else "pending" if status == "pending" else "paid"
        record: Record = {
            "participantId": participant_id(distance, index),
            "registrationId": REGISTRATION_BASE + number,
            "transactionId": TRANSACTION_BASE + number,
            "eventId": event_id(occasion.uid),
            "subEventId": sub_event_id(distance),
            "subEventName": distance.name,
            "bibNumber": entrant.bib or None,
            "firstName": entrant.first,
            "lastName": entrant.last,
            "emailAddress": entrant.email,
            "phone": entrant.phone,
            "dateOfBirth": entrant.dob.isoformat() if entrant.dob else None,
            # A few come as text; a client must take both.
            "gender": "Q" if entrant.flaw == 4 else str(gender) if luck[14] < 3000 else gender,
            "age": entrant.age,
            "addressLine1": entrant.street,
            "addressLine2": None,
            "city": entrant.city,
            "provinceState": entrant.region,
            "postalCode": entrant.postal,
            "country": entrant.country,
            "emergencyContact": (
                {"name": f"P. {entrant.last.strip()}", "phone": "555-010-0199", "relationship": None}
                if luck[15] % 3
                else None
            ),
            "teamName": entrant.team,
            "division": None,
            "waveName": "AB"[index % 2],
            "registrationDate": instant(registered, occasion.zone, False),
            "lastModifiedDate": instant(self.modified_at(changes, distance, index), occasion.zone, True),
            "registrationStatus": status,
            "paymentStatus": payment,
            "amountPaid": dollars(paid),
            "currency": "CAD" if entrant.country == "CA" else "USD",
            "transferredToParticipantId": to,
            "transferredFromParticipantId": came,
            "customFields": [{"id": 771, "label": "Shirt", "value": ("S", "M", "L", None)[luck[16] % 4]}],
        }
        return record | changes.patches.get(index, {})
