"""How Race Roster writes: opaque ids, instants with two kinds of offset, genders as numbers, race times, errors.

Source: the provider page "Race Roster", sections 3 to 6; what it marks as assumed is marked so here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sandbox.providers.common import Record
from sandbox.world import BLOCK, Distance

SUB_EVENT_BASE, CREW_BASE = 30_000, 600_000
PARTICIPANT_BASE, REGISTRATION_BASE, TRANSACTION_BASE = 91_000_000, 55_000_000, 4_000_000
RESULT_BASE, RESULT_EVENT_BASE, RESULT_SUB_EVENT_BASE = 70_000_000, 18_000, 160_000
EVENT_NUMBER_BASE = 40_000

# Genders as numbers (section 5.1, documented); 8 is for co-ed teams.
GENDERS = {"M": 1, "F": 2, "X": 9, "": 0}
# The results service writes them as words, and as UUIDs in its details (section 5.4).
GENDER_WORDS = {"M": "Male", "F": "Female", "X": "Non-binary"}

# registrationStatus by kind of change (section 4, assumed).
STATUSES = {
    "cancel": "cancelled",
    "refund": "refunded",
    "transfer": "transferred",
    "defer": "deferred",
    "delete": "removed",
}
# What the season knows as cleared is removed here.
SEASON_STATUSES = STATUSES | {"clear": "removed"}

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Odd, so that multiplying by it modulo a power of two can be undone.
_EVENT, _CODE = 2_654_435_769, 0x9E37_79B9_7F4A_7C15_F39D
_EVENT_ROOM, _CODE_ROOM = 1 << 32, 1 << 80


class RaceRosterError(Exception):
    """An answer with a status that is not 200."""

    def __init__(self, status: int, message: str, oauth: str = "") -> None:
        """Take the HTTP status, what the body says, and for a refused sign-in its OAuth error."""
        super().__init__(message)
        self.status = status
        self.oauth = oauth


def error(code: int, message: str) -> Record:
    """Return the body of an error (section 6: some of message, error, code)."""
    return {"message": message, "code": code}


def oauth_error(name: str, message: str) -> Record:
    """Return the body of a refused sign-in (section 6)."""
    return {"error": name, "error_description": message, "hint": None, "message": message}


def event_id(uid: int) -> str:
    """Return an occasion's id: opaque text, like a piece of a UUID."""
    mixed = (uid * _EVENT + 0x7D01_C6AA) % _EVENT_ROOM
    tail = (mixed * 40_503) >> 7
    return f"{mixed:08x}-{tail % 65_536:04x}-{tail % 89 + 10}"


def uid_of_event(given: str) -> int | None:
    """Return the occasion number behind an event's id, or None where it is none."""
    try:
        mixed = int(given[:8], 16)
    except ValueError:
        return None
    uid = (mixed - 0x7D01_C6AA) * pow(_EVENT, -1, _EVENT_ROOM) % _EVENT_ROOM
    return uid if event_id(uid) == given else None


def public_code(number: int) -> str:
    """Return 16 lower-case letters and digits, as the results service names events and results."""
    left = (number + 1) * _CODE % _CODE_ROOM
    found = ""
    for _ in range(16):
        left, digit = divmod(left, 36)
        found = LETTERS[digit] + found
    return found


def number_of_code(code: str) -> int | None:
    """Return the number behind a public code, or None where it is none."""
    if len(code) != 16 or any(letter not in LETTERS for letter in code):
        return None
    return int(code, 36) * pow(_CODE, -1, _CODE_ROOM) % _CODE_ROOM - 1


def sub_event_id(distance: Distance) -> int:
    """Return a sub-event's id."""
    return SUB_EVENT_BASE + distance.uid


def participant_id(distance: Distance, index: int) -> int:
    """Return a participant's id; ids rise with the index within a sub-event."""
    return PARTICIPANT_BASE + distance.uid * BLOCK + index


def result_number(distance: Distance, index: int) -> int:
    """Return the number of an entry's result, which its public code hides."""
    return distance.uid * BLOCK + index


def instant(at: int, zone: ZoneInfo, colon: bool) -> str:
    """Return an instant as UTC with a colon in its offset, or in a zone without one (section 5.2)."""
    if colon:
        return datetime.fromtimestamp(at, UTC).isoformat()
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%dT%H:%M:%S%z")


def clock(tenths: int) -> str:
    """Return a race time as M:SS.t or H:MM:SS.t."""
    seconds, tenth = divmod(tenths, 10)
    hours, rest = divmod(seconds, 3600)
    text = f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
    return f"{text}.{tenth}"


def dollars(cents: int) -> float:
    """Return an amount as the number it is here."""
    return cents / 100
