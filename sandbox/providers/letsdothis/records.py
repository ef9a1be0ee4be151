"""An event, its day, a race, an entrant, an applicant: from the season to the record that Let's Do This sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.providers.common import Record, View
from sandbox.providers.letsdothis.wire import (
    APPLICATION,
    APPLICATION_BOOKING,
    BOOKING,
    COUNTRIES,
    EVENT_BASE,
    GENDERS,
    HEAD,
    OCCURRENCE_BASE,
    PARTICIPANT,
    PERSON,
    QUESTION,
    RACE_BASE,
    STATUSES,
    TRANSACTION,
    event_id,
    field,
    hex_id,
    instant,
    merged,
    occurrence_id,
    price,
    race_id,
    telephone,
    ticket_id,
)
from sandbox.state import Changes, Roster, State
from sandbox.world import DAY, LETSDOTHIS, START, Distance, Entrant, Occasion, is_hole

# Applicants who never entered have indexes from here on, above every entry of the season and below those added.
NEVER_ENTERED = 20_000
# How an application stands: approvalStatus, and the field `status`. PENDING_BALLOT is in the vendor's examples only.
STANDINGS = (
    ("PENDING", "PENDING_BALLOT"),
    ("REJECTED", "FAILED"),
    ("PENDING_PAYMENT", "PENDING"),
    ("NOT_ELIGIBLE", "FAILED"),
    ("ELIGIBLE", "PENDING"),
    ("CANCELLED", "CANCELLED"),
    ("APPROVED", "CONFIRMED"),
)
DECIDED = ("approvalStatus", "applicationResolutionType")
GONE = frozenset(STATUSES.values())


class Records(View):
    """Events, races, entrants and applicants of the season in Let's Do This's words."""

    name = LETSDOTHIS

    def __init__(self, state: State, quirks: Record) -> None:
        """Look at this state, with these surprises on or off."""
        super().__init__(state)
        self.quirks = quirks

    # -- which there are ----------------------------------------------------------------------------

    def uids(self, partner: int) -> list[int]:
        """Return the occasions of a partner's account."""
        return [u for u in self.state.season.uids(partner) if self.is_listed(u)]

    def distances(self, uid: int) -> list[Distance]:
        """Return the races of an occasion."""
        return self.state.season.occasion(uid).distances

    def occasion(self, distance: Distance) -> Occasion:
        """Return the occasion that a race belongs to."""
        return self.state.season.occasion(distance.uid // 4)

    def occasion_uid(self, given: str, partner: int | None = None) -> int | None:
        """Return the occasion behind an event's or an occurrence's id, or None."""
        for base in (OCCURRENCE_BASE, EVENT_BASE):
            if given.isdigit() and int(given) >= base:
                uid = int(given) - base
                partners = (1, 2) if partner is None else (partner,)
                known = any(uid in self.uids(each) for each in partners)
                return uid if known else None
        return None

    def race(self, given: str) -> Distance | None:
        """Return the distance behind a race's id, or None."""
        if not given.isdigit() or int(given) < RACE_BASE:
            return None
        distance = self.state.season.distance(int(given) - RACE_BASE)
        return distance if distance is not None and self.is_listed(distance.uid // 4) else None

    def locate(self, given: str, kinds: tuple[int, ...] = (PARTICIPANT, APPLICATION)) -> tuple[Distance, int] | None:
        """Return where an entry's or an application's id belongs, or None."""
        if len(given) != 24 or not given.startswith(HEAD):
            return None
        try:
            kind, uid, index = (int(given[a:b], 16) for a, b in ((8, 12), (12, 18), (18, 24)))
        except ValueError:
            return None
        distance = self.state.season.distance(uid) if kind in kinds else None
        return (distance, index) if distance is not None and self.is_listed(distance.uid // 4) else None

    # -- events -------------------------------------------------------------------------------------

    def event(self, partner: int, uid: int) -> Record:
        """Return an event; its whole body is assumed, as no documentation of it can be read."""
        occasion = self.state.season.occasion(uid)
        changed = self.occasion_changes(partner, occasion)
        return {
            "id": event_id(uid),
            "title": changed.name or occasion.name,
            "description": f"Run through {occasion.venue[0]} with us.",
            "status": "PUBLISHED",
            "createdAt": instant(occasion.opens - 12 * DAY, 118),
            "updatedAt": instant(max(min(occasion.opens, START - 3600), changed.modified), 7),
            "occurrences": [self.occurrence(partner, uid)],
        }

    def occurrence(self, partner: int, uid: int) -> Record:
        """Return the day of an event (assumed)."""
        occasion = self.state.season.occasion(uid)
        changed = self.occasion_changes(partner, occasion)
        city, _, postcode, country, zone = occasion.venue
        return {
            "id": occurrence_id(uid),
            "startDate": instant(occasion.start + changed.shift),
            "endDate": instant(occasion.end + changed.shift),
            "timezone": zone,
            "location": {
                "name": f"{city} Park",
                "city": city,
                "postcode": postcode,
                "country": COUNTRIES.get(country, country),
                "latitude": 51.48,
                "longitude": -0.01,
            },
            "races": [self.race_record(partner, distance) for distance in self.distances(uid)],
        }

    def race_record(self, partner: int, distance: Distance) -> Record:
        """Return a race as it stands inside its occurrence (assumed)."""
        changed = self.occasion_changes(partner, self.occasion(distance))
        metres = distance.course.metres
        # In the unit the organiser typed.
        measure = {"value": metres, "unit": "m"} if metres == 10_000 else {"value": metres / 1000, "unit": "km"}
        return {
            "id": race_id(distance),
            "title": distance.name,
            "distance": measure,
            "startTime": instant(distance.start + changed.shift),
            "capacity": 50 * (1 + distance.own // 40),
        }

    def ticket(self, distance: Distance) -> Record:
        """Return the ticket of a race (the call was seen in a client's code, the body is assumed)."""
        return {
            "id": ticket_id(distance),
            "raceId": race_id(distance),
            "title": self.ticket_title(distance),
            "price": self.list_price(distance, 0),
            "requiresApplication": self.is_ballot(distance),
        }

    # -- entrants -----------------------------------------------------------------------------------

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the entries of a race: those taken back stay."""
        return Roster(distance.registered, 0, self.changes(partner, distance))

    def listed(self, partner: int, distance: Distance) -> Iterator[int]:
        """Yield the entries as they are listed: the withdrawn among them unless a switch drops them."""
        roster = self.roster(partner, distance)
        changes = self.changes(partner, distance)
        for index in roster.slice(0, len(roster)):
            if not (self.quirks["letsdothis_drop_withdrawn"] and self.status(changes, distance, index) in GONE):
                yield index

    def status(self, changes: Changes, distance: Distance, index: int) -> str:
        """Return how an entry stands."""
        if index in changes.status:
            return changes.status[index]
        patch = changes.patches.get(index, {})
        if "status" in patch:
            return str(patch["status"])
        if index < distance.own and is_hole(index):
            return STATUSES[self.state.season.removal(distance, index)[0]]
        return "CONFIRMED"

    @staticmethod
    def booking(distance: Distance, index: int) -> list[int]:
        """Return who is in the same booking, whoever booked first."""
        first = index - index % 3
        if first % 4 == 0 and first + 3 <= distance.own:
            return [first, first + 1, first + 2]
        return [index]

    def stamps(self, changes: Changes, distance: Distance, index: int) -> tuple[str, str, int]:
        """Return when an entry's booking was made and last touched, and the latter in milliseconds to sort by.

        Both belong to the booking: entries of one booking share them.
        """
        season = self.state.season
        together = self.booking(distance, index)
        first = together[0]
        milliseconds = first * 37 % 1000
        created = changes.added_at.get(first) or season.registered_at(distance, first)
        touched = [changes.modified[i] for i in together if i in changes.modified]
        if touched:
            # What control does happens at the full second, so that changes share an instant.
            at, milliseconds = max(touched), 0 if first not in changes.added_at else milliseconds
        else:
            at = max(self._season_touched(distance, i) for i in together)
        at = max(at, created)
        created_text = instant(created, first * 37 % 1000)
        return created_text, max(instant(at, milliseconds), created_text), at

    def _season_touched(self, distance: Distance, index: int) -> int:
        if index < distance.own and is_hole(index):
            return self.state.season.removal(distance, index)[1]
        return self.state.season.modified_at(distance, index)

    def participant(self, partner: int, distance: Distance, index: int) -> Record:
        """Return an entrant."""
        changes = self.changes(partner, distance)
        entrant = self.entrant(changes, distance, index)
        together = self.booking(distance, index)
        created, updated, _ = self.stamps(changes, distance, index)
        free = (index + distance.uid * 13) % 29 == 3
        record: Record = {
            "id": hex_id(PARTICIPANT, distance, index),
            "bookingId": hex_id(BOOKING, distance, together[0]),
            "participantIndex": index - together[0],
            **self._application_of(distance, index),
            "transactionId": "" if free else hex_id(TRANSACTION, distance, together[0]),
            self._occurrence_name(): occurrence_id(distance.uid // 4),
            "raceId": race_id(distance),
            "ticketTitle": self.ticket_title(distance),
            "createdAt": created,
            "updatedAt": updated,
            "fields": self.fields(distance, index, entrant, "CONFIRMED"),
            "booker": self._booker(changes, distance, together),
            "originalTicketPrice": None if free else self.list_price(distance, index),
            "incrementalStatus": "INCREMENTAL" if entrant.luck[27] % 3 == 0 else "NON_INCREMENTAL",
            "bibNumber": entrant.bib or None,
            "bookingCodesUsed": [{"code": "CLUB10"}] if entrant.luck[24] % 11 == 0 else [],
        }
        if index % 4 != 3:
            record["ticketId"] = "" if index % 4 == 2 else ticket_id(distance)
        patch = {k: v for k, v in changes.patches.get(index, {}).items() if k not in DECIDED}
        return merged(record, patch | {"status": self.status(changes, distance, index)})

    def _occurrence_name(self) -> str:
        return "eventOccurenceId" if self.quirks["letsdothis_one_r_occurence"] else "eventOccurrenceId"

    def _application_of(self, distance: Distance, index: int) -> Record:
        if self.has_applied(distance, index):
            return {"applicationId": hex_id(APPLICATION, distance, index)}
        return {} if index % 2 else {"applicationId": None}

    def _booker(self, changes: Changes, distance: Distance, together: list[int]) -> Record | None:
        if len(together) == 1:
            return None
        who = self.entrant(changes, distance, together[0])
        return {"firstName": who.first, "lastName": who.last, "email": who.email}

    def entrant(self, changes: Changes, distance: Distance, index: int) -> Entrant:
        """Return who entered or applied."""
        return self.state.season.entrant(distance, index, changes.persons.get(index))

    def ticket_title(self, distance: Distance) -> str:
        """Return what a race's ticket is called."""
        return f"{distance.name} - {'Ballot' if self.is_ballot(distance) else 'General Entry'}"

    def list_price(self, distance: Distance, index: int) -> Record:
        """Return the list price in minor units."""
        currency = "GBP" if self.occasion(distance).venue[3] == "GB" else "USD"
        return price((distance.course.fee - (10 if index < distance.own // 2 else 0)) * 100, currency)

    def person(self, distance: Distance, index: int, entrant: Entrant) -> Record:
        """Return what somebody answered in the form."""
        gender = GENDERS["Q" if entrant.flaw == 4 else entrant.gender]
        if (index + distance.uid * 13) % 41 == 10:
            gender = "PREFER NOT TO SAY"
        elif distance.number == 1 and gender in ("FEMALE", "MALE"):
            gender = f"IDENTIFIES AS {gender}"
        return {
            "firstName": entrant.first.lower() if index % 11 == 4 else entrant.first,
            "lastName": entrant.last,
            "emailAddress": entrant.email,
            "confirmEmail": entrant.email,
            "gender": gender,
            "dateOfBirth": entrant.dob.isoformat() if entrant.dob else None,
            "addressLine1": entrant.street,
            "addressLine2": None,
            "addressCity": entrant.city,
            "addressPostcode": entrant.postal,
            "addressCountry": COUNTRIES.get(entrant.country, entrant.country),
            "phone": telephone(entrant.phone, entrant.country),
            "emergencyContactName": "Sam Contact" if entrant.luck[28] % 2 else "",
            "emergencyContactPhone": "+442079460000" if entrant.luck[28] % 2 else "",
            "ldtEmailConsentOptOut": "true" if entrant.luck[29] % 5 == 0 else "",
            QUESTION: entrant.team,
        }

    def fields(self, distance: Distance, index: int, entrant: Entrant, status: str) -> list[Record]:
        """Return the answers of the form in their order, the status among them."""
        told = self.person(distance, index, entrant) | {"status": status}
        return [field(name, told[name]) for name, _ in PERSON]

    # -- applicants ---------------------------------------------------------------------------------

    def is_ballot(self, distance: Distance) -> bool:
        """Return whether a race is entered through a ballot: the first one of an occasion ahead."""
        return distance.number == 0 and self.occasion(distance).phase == "future"

    def has_applied(self, distance: Distance, index: int) -> bool:
        """Return whether an entry was born of an application.

        Everybody in a ballot; every third entry of the second race of an occasion that is over (good for age).
        """
        if not 0 <= index < distance.own:
            return False
        return self.is_ballot(distance) or (
            distance.number == 1 and self.occasion(distance).phase != "future" and index % 3 == 0
        )

    def applicants(self, distance: Distance) -> list[int]:
        """Return everybody who applied, those who never entered at the end."""
        found = [index for index in range(distance.own) if self.has_applied(distance, index)]
        if self.is_ballot(distance):
            found += range(NEVER_ENTERED, NEVER_ENTERED + max(len(STANDINGS), distance.own // 2))
        return found

    def application(self, partner: int, distance: Distance, index: int) -> Record:
        """Return an applicant."""
        changes = self.changes(partner, distance)
        entrant = self.entrant(changes, distance, index)
        created, updated, _ = self.application_stamps(changes, distance, index)
        approval, status = ("APPROVED", "CONFIRMED")
        if index >= NEVER_ENTERED:
            approval, status = STANDINGS[(index - NEVER_ENTERED) % len(STANDINGS)]
        record: Record = {
            "id": hex_id(APPLICATION, distance, index),
            "bookingId": hex_id(APPLICATION_BOOKING, distance, index),
            "participantIndex": 0,
            "transactionId": None,
            self._occurrence_name(): occurrence_id(distance.uid // 4),
            "raceId": race_id(distance),
            "ticketId": ticket_id(distance),
            "ticketTitle": self.ticket_title(distance),
            "createdAt": created,
            "updatedAt": updated,
            "fields": self.fields(distance, index, entrant, status),
            "booker": None,
            "originalTicketPrice": self.list_price(distance, index),
            "incrementalStatus": "NON_INCREMENTAL",
            "bibNumber": None,
            "bookingCodesUsed": [],
            "approvalStatus": approval,
            "applicationResolutionType": "BALLOT" if self.is_ballot(distance) else "AUTOMATIC",
        }
        patch = {k: v for k, v in changes.patches.get(index, {}).items() if k in DECIDED}
        record = merged(record, patch)
        if self.quirks["letsdothis_no_approval_status"]:
            for name in DECIDED:
                del record[name]
        return record

    def application_stamps(self, changes: Changes, distance: Distance, index: int) -> tuple[str, str, int]:
        """Return when an application was made and last touched, and the latter to sort by."""
        occasion = self.occasion(distance)
        if index >= NEVER_ENTERED:
            created = occasion.opens + (index - NEVER_ENTERED) * 3600
        else:
            created = self.state.season.registered_at(distance, index) - 7 * DAY
        decided = set(DECIDED) & changes.patches.get(index, {}).keys()
        at = changes.modified[index] if decided else min(created + 5 * DAY, START - 60)
        return instant(created, index % 1000), instant(at, 0 if decided else index % 1000), at

    # -- shared -------------------------------------------------------------------------------------

    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who an entry is, as answers for another entry of theirs."""
        record = self.participant(partner, distance, index)
        told: dict[str, Any] = {one["id"]: one["value"] for one in record["fields"]}
        return {name: told[name] for name, _ in PERSON if name != "status"}

    def bib_is_due(self, partner: int, distance: Distance, index: int) -> bool:
        """Return whether an entry will start and has no bib yet."""
        record = self.participant(partner, distance, index)
        status = self.status(self.changes(partner, distance), distance, index)
        return record["bibNumber"] is None and status not in GONE
