"""A race, an event, a registration: from the season to the record that RunSignUp sends."""

from __future__ import annotations

from datetime import date, datetime

from sandbox import names
from sandbox.providers.common import Record, View
from sandbox.providers.runsignup.wire import (
    DAYS_BASE,
    EVENT_BASE,
    RACE_BASE,
    REASONS,
    TEAM_BASE,
    USER_BASE,
    iso,
    merged,
    money,
    number_of,
    padded,
    registration_id,
    tf,
    wall,
)
from sandbox.state import Changes, Roster
from sandbox.world import BLOCK, RUNSIGNUP, START, START_DAY, Distance, Entrant, Occasion, holes_before


class Records(View):
    """Races, events and registrations of the season in RunSignUp's words."""

    name = RUNSIGNUP

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the registrations that are listed as participants."""
        return Roster(distance.registered, distance.own, self.changes(partner, distance))

    # -- races and events ---------------------------------------------------------------------------

    def editions(self, race_uid: int) -> list[int]:
        """Return the occasions of a race that are listed here."""
        return [u for u in self.state.season.editions(race_uid) if self.is_listed(u)]

    def distances(self, occasion_uid: int) -> list[Distance]:
        """Return the events of an occasion."""
        return self.state.season.occasion(occasion_uid).distances

    def race_uids(self, partner: int) -> list[int]:
        """Return the races of a partner's account."""
        season = self.state.season
        return [u for u in season.uids(partner) if season.race_uid(u) == u and self.is_listed(u)]

    def _day(self, occasion: Occasion) -> date:
        return datetime.fromtimestamp(occasion.start, occasion.zone).date()

    def first_day(self, race_uid: int) -> date:
        """Return the day of a race's first edition."""
        return min(self._day(self.state.season.occasion(u)) for u in self.state.season.editions(race_uid))

    def last_day(self, race_uid: int) -> date:
        """Return the day of a race's last edition."""
        return max(self._day(self.state.season.occasion(u)) for u in self.state.season.editions(race_uid))

    def created_at(self, partner: int, race_uid: int) -> int:
        """Return when a race was made."""
        return self.state.season.occasion(race_uid).opens - 12 * 86400

    def race_modified_at(self, partner: int, race_uid: int) -> int:
        """Return when a race was last touched."""
        occasion = self.state.season.occasion(race_uid)
        at = min(occasion.opens + 3 * 86400 + race_uid * 60, START - 3600)
        for uid in self.state.season.editions(race_uid):
            changed = self.occasion_changes(partner, self.state.season.occasion(uid))
            at = max(at, changed.modified)
        return at

    def race(self, partner: int, race_uid: int, with_events: bool) -> Record:
        """Return a race as RunSignUp writes it."""
        season = self.state.season
        occasion = season.occasion(race_uid)
        days = sorted(self._day(season.occasion(u)) for u in self.editions(race_uid))
        past, ahead = [d for d in days if d < START_DAY], [d for d in days if d >= START_DAY]
        changed = self.occasion_changes(partner, occasion)
        city, region, postal, country, _ = occasion.venue
        name = changed.name or occasion.name
        record: Record = {
            "race_id": RACE_BASE + race_uid,
            "name": f" {name}" if race_uid % 11 == 3 else name,
            "last_date": padded(past[-1]) if past else None,
            "last_end_date": padded(past[-1]) if past else None,
            "next_date": padded(ahead[0]) if ahead else None,
            "next_end_date": padded(ahead[0]) if ahead else None,
            "is_draft_race": tf(occasion.is_draft),
            "is_private_race": tf(occasion.is_private),
            "is_registration_open": tf(bool(ahead) and not occasion.is_draft),
            "created": wall(self.created_at(partner, race_uid)),
            "last_modified": wall(self.race_modified_at(partner, race_uid)),
            "description": f"<p>Run with us in {city}. <b>No headphones.</b></p>",
            "url": f"https://runsignup.example/Race/{region.replace(' ', '')}/{city.replace(' ', '')}/{race_uid}",
            "external_race_url": None,
            "external_results_url": None,
            "fb_page_id": None,
            "fb_event_id": None,
            "address": {
                "street": f"{1 + race_uid % 90} Finish Line Way",
                "city": city,
                "state": region,
                "zipcode": postal,
                "country_code": country,
            },
            "timezone": occasion.venue[4],
            "logo_url": None,
            "can_use_registration_api": "F",
            "real_time_notifications_enabled": "F",
        }
        if with_events:
            record["events"] = self.events(partner, race_uid)
        return record

    def events(self, partner: int, race_uid: int) -> list[Record]:
        """Return a race's events, past editions included."""
        return [
            self.event(partner, self.state.season.occasion(uid), distance)
            for uid in self.editions(race_uid)
            for distance in self.distances(uid)
        ]

    def event(self, partner: int, occasion: Occasion, distance: Distance) -> Record:
        """Return one event (a distance of one edition)."""
        changed = self.occasion_changes(partner, occasion)
        start = distance.start + changed.shift
        fee = distance.course.fee * 100
        period_end = occasion.opens + (occasion.start - occasion.opens) // 2
        periods = [
            {
                "registration_opens": wall(opens),
                "registration_closes": wall(closes),
                "race_fee": money(amount),
                "processing_fee": money(amount // 20 + 100),
            }
            for opens, closes, amount in (
                (occasion.opens, period_end, fee - 1000),
                (period_end, occasion.start - 2 * 86400, fee),
            )
        ]
        kids = distance.course.name == "Kids Mile"
        return {
            "event_id": EVENT_BASE + distance.uid,
            "race_event_days_id": DAYS_BASE + occasion.uid,
            "name": changed.names.get(distance.number) or distance.name,
            "details": "Under 12 only" if kids else None,
            "start_time": wall(start, occasion.zone),
            "end_time": None if occasion.uid % 4 == 3 else wall(occasion.end + changed.shift, occasion.zone),
            "age_calc_base_date": padded(self._day(occasion)) if occasion.uid % 3 == 0 else None,
            "registration_opens": wall(occasion.opens),
            "event_type": "running_race",
            "distance": {"Kids Mile": "1 Mile", "Half Marathon": "13.1 Miles", "Marathon": "26.2 Miles"}.get(
                distance.course.name, distance.course.name
            ),
            "volunteer": "F",
            "require_dob": "T",
            "require_phone": tf(occasion.uid % 2 == 0),
            "registration_periods": periods,
            "giveaway": None if kids else "Race shirt",
            "sub_event_ids": [],
        }

    # -- registrations ------------------------------------------------------------------------------

    def event_at(self, event_id: int) -> Distance | None:
        """Return the distance behind an event id, or None."""
        distance = self.state.season.distance(event_id - EVENT_BASE) if event_id >= EVENT_BASE else None
        known = distance is not None and self.is_listed(distance.uid // 4)
        return distance if known else None

    def modified_at(self, changes: Changes, distance: Distance, index: int) -> int:
        """Return when a registration was last touched."""
        if index in changes.modified:
            return changes.modified[index]
        return self.state.season.modified_at(distance, index)

    def entrant(self, changes: Changes, distance: Distance, index: int) -> Entrant:
        """Return who registered."""
        return self.state.season.entrant(distance, index, changes.persons.get(index))

    def user(self, entrant: Entrant, supports_nb: bool) -> Record:
        """Return the user part of a registration."""
        gender = None if entrant.gender == "X" and not supports_nb else entrant.gender
        return {
            "user_id": USER_BASE + entrant.person * 2 + entrant.account,
            "first_name": entrant.first,
            "middle_name": entrant.middle,
            "last_name": entrant.last,
            "email": entrant.email,
            "address": {
                "street": entrant.street,
                "city": entrant.city,
                "state": entrant.region,
                "zipcode": entrant.postal,
                "country_code": entrant.country,
            },
            "dob": entrant.dob.isoformat() if entrant.dob else None,
            "gender": "Q" if entrant.flaw == 4 else gender,
            "phone": entrant.phone,
            "profile_image_url": None,
        }

    def fees(self, distance: Distance, index: int, entrant: Entrant) -> Record:
        """Return the dollar texts of a registration."""
        fee = (distance.course.fee - (10 if index < distance.own // 2 else 0)) * 100
        if (index + distance.uid * 13) % 71 == 20:
            fee = 115_000  # a charity place: over a thousand, so with a comma
        processing = fee // 20 + 100
        discount = 200 if entrant.luck[24] < 2000 else 0
        return {
            "race_fee": money(fee),
            "offline_payment_amount": "$0.00",
            "processing_fee": money(processing),
            "processing_fee_paid_by_user": money(processing),
            "processing_fee_paid_by_race": "$0.00",
            "partner_fee": "$0.00",
            "affiliate_profit": "$0.00",
            "extra_fees": "$0.00",
            "amount_paid": money(fee + processing - discount),
            "usatf_discount_amount_in_cents": money(discount),
            "usatf_discount_additional_field": None,
        }

    def participant(self, partner: int, distance: Distance, index: int, supports_nb: bool = True) -> Record:
        """Return a live registration as RunSignUp writes it."""
        changes = self.changes(partner, distance)
        entrant = self.entrant(changes, distance, index)
        luck = entrant.luck
        number = distance.uid * BLOCK + index
        registered = changes.added_at.get(index) or self.state.season.registered_at(distance, index)
        team = entrant.team
        record: Record = {
            "user": self.user(entrant, supports_nb),
            "registration_id": registration_id(distance, index),
            "event_id": EVENT_BASE + distance.uid,
            "rsu_transaction_id": None if luck[25] < 1300 else 880_000 + number,
            "transaction_id": f"zz_{number}_0" if luck[26] % 2 else str(5_000_000 + number),
            "bib_num": number_of(entrant.bib),
            "chip_num": f"C{number_of(entrant.bib):05d}" if number_of(entrant.bib) and luck[27] % 4 == 0 else None,
            "age": entrant.age,
            "registration_date": wall(registered),
            "team_id": TEAM_BASE + names.TEAMS.index(team) if team else None,
            "team_name": team,
            "team_type_id": 3 if team else None,
            "team_type": "Club" if team else None,
            "team_gender": None,
            "team_bib_num": None,
            "last_modified": self.modified_at(changes, distance, index),
            "imported": tf(luck[28] < 3000),
            **self.fees(distance, index, entrant),
            "giveaway": names.GIVEAWAYS[luck[29] % len(names.GIVEAWAYS)] if luck[29] % 7 else None,
            "giveaway_option_id": 31 + luck[29] % len(names.GIVEAWAYS) if luck[29] % 7 else None,
        }
        return merged(record, changes.patches.get(index))

    # -- registrations taken back -------------------------------------------------------------------

    def removed_indexes(self, partner: int, distance: Distance) -> list[int]:
        """Return the registrations of an event that were taken back."""
        changes = self.changes(partner, distance)
        base = [7 + 25 * n for n in range(holes_before(distance.own)) if 7 + 25 * n not in changes.restored]
        # A removal without a reason left no trace, here as elsewhere.
        return sorted([*base, *(i for i, removal in changes.removed.items() if removal.reason)])

    def removal(self, changes: Changes, distance: Distance, index: int) -> tuple[str, int, int | None]:
        """Return why and when a registration was taken back, and the one that follows it."""
        made = changes.removed.get(index)
        if made is not None:
            return made.reason, made.at, made.new_id
        kind, at, successor = self.state.season.removal(distance, index)
        return REASONS[kind], at, registration_id(*successor) if successor else None

    def removed(self, partner: int, distance: Distance, index: int, supports_nb: bool = True) -> Record:
        """Return a registration that was taken back as RunSignUp writes it."""
        changes = self.changes(partner, distance)
        entrant = self.entrant(changes, distance, index)
        reason, at, new_id = self.removal(changes, distance, index)
        registered = changes.added_at.get(index) or self.state.season.registered_at(distance, index)
        record: Record = {
            "user": self.user(entrant, supports_nb),
            "registration_id": registration_id(distance, index),
            "age": entrant.age,
            "registration_date": iso(registered),
            "last_modified": iso(at),
            "last_modified_ts": at,
            "imported": tf(entrant.luck[28] < 3000),
            **self.fees(distance, index, entrant),
            "removed_reason": reason,
            "new_registration_id": new_id,
        }
        patch = {k: v for k, v in changes.patches.get(index, {}).items() if k != "bib_num"}
        return merged(record, patch)
