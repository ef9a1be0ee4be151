"""How Copernico writes: slugs, UUIDs, milliseconds, envelopes, mojibake, and columns that are named after splits."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.providers.common import Record
from sandbox.world import Distance, ascii_of

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "copernico.sandbox")
# Names of mats are the organiser's own; these two stand for themselves in columns of presets.
START, FINISH = "Salida", "Meta"
START_TOKEN, FINISH_TOKEN = ":::start:::", ":::finish:::"
# Columns of ranks say which ranking they are of.
FULL = ":::full-1:::"
GENDERS = {"F": "female", "M": "male", "X": "mixed"}
ALPHA3 = {"US": "USA", "GB": "GBR", "CA": "CAN", "SE": "SWE", "DE": "DEU", "ES": "ESP", "FR": "FRA", "MX": "MEX"}

# What an athlete's status becomes, by kind of change; a deleted one is simply missing from the next answer.
STATUSES = {
    "cancel": "withdrawn",
    "refund": "withdrawn",
    "clear": "withdrawn",
    "defer": "withdrawn",
    "transfer": "withdrawn",
    "disqualify": "dsq",
}


class CopernicoError(Exception):
    """An answer with a status that is not 200."""

    def __init__(self, status: int, message: str) -> None:
        """Take the HTTP status and what the envelope says."""
        super().__init__(message)
        self.status = status


def envelope(code: int, data: Any, message: str = "OK") -> Record:
    """Return an answer in the envelope; 0 and 1 are both success."""
    return {"result": {"code": code, "message": message}, "data": data}


def error(message: str) -> Record:
    """Return the body of an error."""
    return {"result": {"code": -1, "message": message}}


def slug_of(name: str, year: int) -> str:
    """Return how a race is called in addresses."""
    words = [ascii_of(word) for word in name.split()]
    return "-".join([*filter(None, words), str(year)])


def competition_id(uid: int) -> str:
    """Return the catalogue's id of a race, which the ranking files are kept under."""
    return str(uuid.uuid5(NAMESPACE, f"competition/{uid}"))


def athlete_id(distance: Distance, index: int) -> str:
    """Return an athlete's UUID; where it belongs can be read out of it."""
    head = f"{distance.uid:08x}{index:04x}"
    tail = hashlib.sha256(head.encode()).hexdigest()
    return str(uuid.UUID(f"{head}5{tail[:3]}9{tail[3:18]}"))


def place_of(given: str) -> tuple[int, int] | None:
    """Return the distance's number and the index of an athlete's UUID; None for one that nobody gave out."""
    digits = given.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", digits):
        return None
    tail = hashlib.sha256(digits[:12].encode()).hexdigest()
    right = digits[12:] == f"5{tail[:3]}9{tail[3:18]}"
    return (int(digits[:8], 16), int(digits[8:12], 16)) if right else None


def instant(at: float) -> str:
    """Return an instant as ISO text in UTC with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def second(at: int) -> str:
    """Return an instant of the target API."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def garbled(name: str) -> str:
    """Return a name as it looks when its UTF-8 was taken for Latin-1 once."""
    return name.encode().decode("latin-1")


def average(milliseconds: int | None, metres: float) -> float | None:
    """Return seconds per metre, rounded to five places."""
    return None if milliseconds is None else round(milliseconds / 1000 / metres, 5)


def pace(milliseconds: int | None, metres: float) -> str | None:
    """Return a pace as presets show it."""
    if milliseconds is None:
        return None
    seconds = int(milliseconds / metres)
    return f"{seconds // 60}'{seconds % 60:02d}\"/Km"


def category(gender: str, age: int | None) -> str:
    """Return the category an athlete is ranked in."""
    if age is None or age < 20:
        return f"Junior {gender}"
    return f"Senior {gender}" if age < 40 else f"Veterano {'ABC'[min(2, age // 10 - 4)]} {gender}"
