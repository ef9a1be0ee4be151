"""Faults that control switches on: how a provider's answers go wrong."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sandbox.providers.common import Answer, Call, Record

# Faults of the connection or of the whole answer.
WHOLE = (
    "status_429",
    "status_500",
    "status_502_html",
    "cut_json",
    "slow",
    "expired_token",
    "limit_reached",
    "code_14",
    "non_json",
    "drop_connection",
)
# Faults of the world: something happens while a client turns pages.
BETWEEN = ("row_between_pages", "row_gone_between_pages")
# Faults of the rows in an answer.
ROWS = ("missing_field", "changed_type", "bad_record", "no_key", "unknown_enum", "empty_answer")
KINDS = (*WHOLE, *BETWEEN, *ROWS)

# Per provider and stream: the key, a field that a type error spoils and its spoilt value, an enum and its odd value.
SPOILS: dict[tuple[str, str], tuple[str, tuple[str, Any], tuple[str, Any]]] = {
    ("runsignup", "races"): ("race_id", ("last_modified", {"at": "yesterday"}), ("is_draft_race", "MAYBE")),
    ("runsignup", "events"): ("event_id", ("start_time", "at dawn"), ("event_type", "moon_race")),
    ("runsignup", "participants"): ("registration_id", ("last_modified", "yesterday"), ("user.gender", "Q")),
    ("runsignup", "removed_participants"): (
        "registration_id",
        ("last_modified_ts", "yesterday"),
        ("removed_reason", "vanished"),
    ),
    ("runsignup", "results"): ("result_id", ("place", "first"), ("gender", "Q")),
    ("chronotrack", "events"): ("event_id", ("event_start_time", "soon"), ("event_type", "moon_race")),
    ("chronotrack", "races"): ("race_id", ("race_course_distance", "far"), ("race_type", "moon_race")),
    ("chronotrack", "entries"): ("entry_id", ("entry_race_age", "young"), ("entry_status", "LOST")),
    ("chronotrack", "brackets"): ("bracket_id", ("bracket_wants_leaderboard", "maybe"), ("bracket_type", "MOON")),
    ("chronotrack", "intervals"): ("interval_id", ("interval_iv_distance_m", "far"), ("interval_name", "?")),
    ("chronotrack", "results"): ("results_entry_id", ("results_age", "young"), ("results_sex", "Q")),
}


@dataclass(slots=True)
class Fault:
    """One fault, for as many matching calls as `times` says; None means until it is taken back."""

    provider: str
    kind: str
    times: int | None = 1
    path_contains: str | None = None
    partner: int | None = None
    retry_after: float | None = None
    seconds: float = 2.0
    field: str | None = None
    stream: str | None = None
    before_body: bool = False
    hits: int = 0

    def matches(self, provider: str, call: Call, partner: int | None, address: str) -> bool:
        """Return whether this call is one to go wrong."""
        if self.provider not in (provider, "*") or (self.times is not None and self.times <= 0):
            return False
        if self.partner is not None and self.partner != partner:
            return False
        if self.path_contains and self.path_contains.lower() not in address.lower():
            return False
        if self.kind in BETWEEN:
            return call.number("page", 1) > 1 or call.query.get("after_registration_id", "0") not in ("", "0")
        return True


class Faults:
    """The faults switched on now, oldest first."""

    def __init__(self) -> None:
        """Start without any."""
        self.active: list[Fault] = []

    def add(self, given: Record) -> Fault:
        """Switch a fault on; raise ValueError where it is not one."""
        known = set(Fault.__dataclass_fields__) - {"hits"}
        unknown = set(given) - known
        if unknown:
            raise ValueError(f"unknown field {sorted(unknown)[0]!r}: a fault takes {', '.join(sorted(known))}")
        if given.get("kind") not in KINDS:
            raise ValueError(f"unknown kind {given.get('kind')!r}: choose one of {', '.join(KINDS)}")
        if given.get("provider") not in ("runsignup", "chronotrack", "*"):
            raise ValueError(f"unknown provider {given.get('provider')!r}: runsignup, chronotrack or *")
        fault = Fault(**given)
        self.active.append(fault)
        return fault

    def take(self, provider: str, call: Call, partner: int | None, address: str) -> Fault | None:
        """Return the fault this call meets, and count it."""
        for fault in self.active:
            if fault.matches(provider, call, partner, address):
                fault.hits += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def listed(self) -> list[Record]:
        """Return all faults with how often they struck."""
        return [asdict(fault) for fault in self.active]


def put(row: Record, name: str, value: Any) -> None:
    """Set a field that may lie one level down."""
    outer, _, inner = name.partition(".")
    if inner and isinstance(row.get(outer), dict):
        row[outer][inner] = value
    else:
        row[outer] = value


def spoil(fault: Fault, provider: str, answer: Answer) -> None:
    """Change the rows of an answer as the fault says."""
    rows, stream = answer.rows, answer.stream
    if fault.stream == "events" and stream == "races":
        # RunSignUp's events come inside their race.
        rows, stream = [event for race in rows for event in race.get("events", ())], "events"
    # One record in the middle: the first one is what a careless check looks at.
    row = rows[len(rows) // 2] if rows else None
    key, (typed, wrong), (enum, odd) = SPOILS.get(
        (provider, stream), ("id", ("id", {"changed": True}), ("status", "ZZZ"))
    )
    if fault.kind == "missing_field":
        for each in rows:
            each.pop(fault.field or key, None)
    elif fault.kind == "changed_type":
        for each in rows:
            put(each, fault.field or typed, wrong if fault.field in (None, typed) else {"changed": True})
    elif row is not None and fault.kind == "no_key":
        row.pop(key, None)
    elif row is not None and fault.kind == "unknown_enum":
        put(row, fault.field or enum, odd)
    elif row is not None and fault.kind == "bad_record":
        contradict(provider, stream, row)


def contradict(provider: str, stream: str, row: Record) -> None:
    """Make a record contradict itself or the question."""
    if stream == "races" and provider == "runsignup":
        row["created"] = "13/45/2025 99:99"
    elif stream == "events" and provider == "runsignup":
        row["start_time"], row["end_time"] = "7/4/2026 18:00", "7/4/2026 06:00"
    elif provider == "runsignup" and stream == "results":
        row["result_id"] = "not a number"
    elif provider == "runsignup":
        if "event_id" in row:
            row["event_id"] += 1
        else:
            row["last_modified_ts"], row["registration_date"] = "never", "2025-99-99 00:00:00"
    elif stream == "events":
        row["event_end_time"] = str(int(row["event_start_time"]) - 3600)
    elif stream == "results":
        row["results_begin_chip_time"], row["results_end_chip_time"] = "1757162950.60", "1757160008.50"
    else:
        row["event_id"] = "1"
