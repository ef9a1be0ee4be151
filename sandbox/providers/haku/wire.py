"""How Haku writes: ids, times without a zone, money as text, and its two kinds of errors."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sandbox.providers.common import Record
from sandbox.world import BLOCK, Distance

EVENT_BASE, CATEGORY_BASE, ACCOUNT_BASE, ORGANIZATION_BASE = 7_000, 300_000, 20_000, 410

# Registration numbers are opaque: they neither rise with time nor tell the event.
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PLACES = 6
SPACE = len(DIGITS) ** PLACES
STEP = 1_234_567_891  # coprime with the space, so that every number comes once
BACK = pow(STEP, -1, SPACE)

# Assumed: no client shows the values.
GENDERS = {"F": "Female", "M": "Male", "X": "Non-Binary"}
DISTANCES = {"Half Marathon": "Half Marathon", "Marathon": "26.2 miles", "Kids Mile": "1 mile"}

# Haku has one word for all of these, a flag: what makes them differ shows elsewhere in the record.
WITHDRAWN = {"cancel": "cancelled", "refund": "refunded", "clear": "cancelled", "transfer": "cancelled",
             "defer": "cancelled"}  # fmt: skip


class HakuError(Exception):
    """An answer with a status that is not 200."""

    def __init__(self, status: int, body: Record) -> None:
        """Take the HTTP status and the body."""
        super().__init__(str(body))
        self.status = status
        self.body = body


def gateway(status: int, message: str) -> HakuError:
    """Return an error as the gateway in front of the application writes it (assumed to be AWS API Gateway)."""
    return HakuError(status, {"message": message})


def not_found() -> HakuError:
    """Return the application's 404 (assumed)."""
    return HakuError(404, {"error": "Not found"})


def invalid(field: str, told: str) -> HakuError:
    """Return the application's 422 (assumed)."""
    return HakuError(422, {"errors": {field: [told]}})


def registration_number(distance: Distance, index: int) -> str:
    """Return a registration's number, such as R-7K2PX9."""
    number = (distance.uid * BLOCK + index) * STEP % SPACE
    digits = ""
    for _ in range(PLACES):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return f"R-{digits}"


def place_of(given: Any) -> tuple[int, int] | None:
    """Return the distance's number and the index behind a registration number; None for anything else."""
    text = str(given).upper()
    if len(text) != PLACES + 2 or not text.startswith("R-") or set(text[2:]) - set(DIGITS):
        return None
    return divmod(int(text[2:], len(DIGITS)) * BACK % SPACE, BLOCK)


def event_id(uid: int) -> int:
    """Return an occasion's id."""
    return EVENT_BASE + uid


def category_id(distance: Distance) -> int:
    """Return the id of the category that stands for a distance."""
    return CATEGORY_BASE + distance.uid


def stamp(at: int, style: int, fractional: bool = False) -> str:
    """Return an instant in UTC, in one of the three ways clients are ready for, or with a fraction."""
    time = datetime.fromtimestamp(at, UTC)
    if fractional:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return time.strftime(("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")[style % 3])


def instant(field: str, text: str) -> int:
    """Return the epoch seconds of a parameter; a time without a zone is UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(field, "is not a date") from None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def day(at: date) -> str:
    """Return YYYY-MM-DD."""
    return at.isoformat()


def money(cents: int) -> str:
    """Return an amount as text."""
    return f"{cents // 100}.{cents % 100:02d}"


def price(cents: int) -> str:
    """Return a price as people write it."""
    return f"${cents // 100:,}.{cents % 100:02d}"
