"""How Let's Do This writes: ids, instants, fields, money, its words and its errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.providers.common import Record
from sandbox.world import Distance

# Ten digits for events, occurrences, races and tickets; that an event's id looks like the others is assumed.
EVENT_BASE, OCCURRENCE_BASE, RACE_BASE, TICKET_BASE = 3_310_000_000, 4_410_000_000, 5_120_000_000, 7_781_000_000
# 24 hexadecimal characters for what belongs to a booking: a head that all share, what it is, where it belongs.
HEAD = "65f0a1b2"
PARTICIPANT, APPLICATION, BOOKING, TRANSACTION, APPLICATION_BOOKING = 1, 2, 3, 4, 5
QUESTION = "64aa00c0ffee00000000c1ab"

# The field `status` of an entry, by kind of change. There is no word for a row that was deleted.
STATUSES = {
    "cancel": "CANCELLED",
    "refund": "REFUNDED",
    "clear": "TRANSFERRED_TO_CREDIT",
    "transfer": "TRANSFERRED_EVENTS",
    "defer": "DEFERRED",
}

GENDERS = {"F": "FEMALE", "M": "MALE", "X": "NON BINARY", "Q": "Q"}
COUNTRIES = {"US": "United States", "GB": "United Kingdom", "CA": "Canada"}

# The fields of a person, in the order in which they come: id, label.
PERSON = (
    ("firstName", "First Name"),
    ("lastName", "Last Name"),
    ("emailAddress", "Email Address"),
    ("confirmEmail", "Confirm Email Address"),
    ("status", "Status"),
    ("gender", "Gender"),
    ("dateOfBirth", "Date of Birth"),
    ("addressLine1", "Address (Line 1)"),
    ("addressLine2", "Address (Line 2)"),
    ("addressCity", "Address (City)"),
    ("addressPostcode", "Address (Postcode)"),
    ("addressCountry", "Address (Country)"),
    ("phone", "Phone Number"),
    ("emergencyContactName", "Emergency Contact Name"),
    ("emergencyContactPhone", "Emergency Contact Phone"),
    ("ldtEmailConsentOptOut", "I do not want to hear about other events"),
    (QUESTION, "Which running club do you belong to, if any? Please write its name in full."),
)
LABELS = dict(PERSON)


class LetsDoThisError(Exception):
    """An answer with a status that is not 200."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        """Take the HTTP status, what the body says, and the framework's own code where it has one."""
        super().__init__(message)
        self.status, self.code = status, code


NAMES = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


def error(status: int, message: str, code: str = "") -> Record:
    """Return the body of an error, in the form of the framework the vendor seems to use (assumed)."""
    head: Record = {"statusCode": status}
    if code:
        head["code"] = code
    return {**head, "error": NAMES.get(status, "Internal Server Error"), "message": message}


def event_id(uid: int) -> str:
    """Return an event's id."""
    return str(EVENT_BASE + uid)


def occurrence_id(uid: int) -> str:
    """Return the id of an event's day."""
    return str(OCCURRENCE_BASE + uid)


def race_id(distance: Distance) -> str:
    """Return a race's id."""
    return str(RACE_BASE + distance.uid)


def ticket_id(distance: Distance) -> str:
    """Return the id of the ticket that enters a race."""
    return str(TICKET_BASE + distance.uid)


def hex_id(kind: int, distance: Distance, index: int) -> str:
    """Return the id of something that belongs to a booking; those of one race rise with the index."""
    return f"{HEAD}{kind:04x}{distance.uid:06x}{index:06x}"


def instant(at: int, milliseconds: int = 0) -> str:
    """Return an instant as all of them are written: UTC with milliseconds and a Z."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def price(minor: int, currency: str) -> Record:
    """Return an amount of money."""
    return {"value": minor, "currencyCode": currency}


def field(name: str, value: Any) -> Record:
    """Return one answer of the registration form."""
    return {"id": name, "name": LABELS.get(name, name), "value": value}


def telephone(number: str | None, country: str) -> str | None:
    """Return a telephone number in E.164."""
    if number is None:
        return None
    return ("+44" if country == "GB" else "+1") + "".join(c for c in number if c.isdigit())


def merged(record: Record, patch: Record) -> Record:
    """Return a record with changed values, in its `fields` or beside them."""
    by_id = {one["id"]: one for one in record["fields"]}
    for key, value in patch.items():
        if key in by_id:
            by_id[key]["value"] = value
        elif key in record or key in BESIDE:
            record[key] = value
        else:
            record["fields"].append(field(key, value))
    return record


# What may be left out of a record and is no answer of the form.
BESIDE = frozenset({"applicationId", "transactionId", "ticketId", "booker", "originalTicketPrice", "bookingCodesUsed"})
