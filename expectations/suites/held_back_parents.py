"""Rows below an event or race that is held back: they wait with it, for it would be missing around them."""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

EVENT_RULE = "event_is_not_held_back"
RACE_RULE = "race_is_not_held_back"


@dataclass(frozen=True)
class Below:
    """The suite of one relation, judged once the findings of its own rules are written."""

    RELATION: str
    key: str
    has_race: bool = True

    @property
    def NAME(self) -> str:  # noqa: N802 - a suite module's name
        """Return the name of suite and view."""
        return f"{self.RELATION}_below"

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802
        """Return the tables that must be there."""
        return (f"candidate.{self.RELATION}",)

    @property
    def VIEW(self) -> str:  # noqa: N802
        """Return the select that asks, per row, whether its parents are held back."""
        # A race that waits for its event is not asked about: the event's own answer covers what is below.
        race = f""",
    c.race_key not in (
        select q.row_key from hub.quarantine as q
        where q.relation = 'unified_races' and q.resolved_at is null and q.rule <> '{EVENT_RULE}'
    ) as {RACE_RULE}"""
        return f"""
select
    c.{self.key} as row_key,
    c.timing_partner_id,
    c.source_provider,
    c.ctid::text as origin,
    c.event_key not in (
        select q.row_key from hub.quarantine as q
        where q.relation = 'unified_events' and q.resolved_at is null
    ) as {EVENT_RULE}{race if self.has_race else ""}
from candidate.{self.RELATION} as c
"""

    def suite(self) -> gx.ExpectationSuite:
        """Return the expectation that no parent is held back."""
        expectations = [
            rules.holds(
                EVENT_RULE,
                "its event is held back",
                "Not this row's fault: it returns by itself once its event passes.",
                effect=rules.CASCADE,
            )
        ]
        if self.has_race:
            expectations.append(
                rules.holds(
                    RACE_RULE,
                    "its race is held back",
                    "Not this row's fault: it returns by itself once its race passes.",
                    effect=rules.CASCADE,
                )
            )
        return rules.build(self.NAME, *expectations)


SUITES = (
    Below("unified_races", "race_key", has_race=False),
    Below("unified_divisions", "division_key"),
    Below("unified_timing_points", "timing_point_key"),
    Below("unified_participants", "participant_key"),
    Below("unified_results", "result_key"),
)
