"""What every expectation of a suite carries: the rule's name, what its failure does, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import great_expectations as gx
    import great_expectations.expectations as gxe

QUARANTINE = "quarantine"  # the row stays out of the published relations until it passes
CASCADE = "cascade"  # as quarantine, but for a parent's fault: never counted against the relation itself
WARN = "warn"  # told, and nothing is held back
STOP = "stop"  # nothing is published

ROW_LEVEL = frozenset({QUARANTINE, CASCADE})
# The columns with which every view of rows begins, before `origin`, a row's place in its table.
ROW_COLUMNS = ("row_key", "timing_partner_id", "source_provider")

_SEVERITY = {QUARANTINE: "warning", CASCADE: "warning", WARN: "info", STOP: "critical"}


class SuiteModule(Protocol):
    """One module of `expectations.suites`."""

    @property
    def NAME(self) -> str:  # noqa: N802
        """Return the name of the suite and of the view it judges."""

    @property
    def RELATION(self) -> str:  # noqa: N802
        """Return where a failing row would be published; empty for rules over sets."""

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802
        """Return the tables without which there is nothing to judge; of rows, the table they stand in comes first."""

    @property
    def VIEW(self) -> str:  # noqa: N802
        """Return the select behind the view; its only parameters are now, today, run_id and mark.

        Of rows it ends in the table's `from … as …`: the keys that are due are joined to it.
        """

    def suite(self) -> gx.ExpectationSuite:
        """Return the expectations."""


@dataclass(frozen=True)
class Rule:
    """What the runner must know of an expectation."""

    name: str
    effect: str
    reason: str
    remedy: str
    shows_value: bool

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> Rule:
        """Return the rule that an expectation carries."""
        return cls(
            name=str(meta["rule"]),
            effect=str(meta["effect"]),
            reason=str(meta["reason"]),
            remedy=str(meta.get("remedy", "")),
            shows_value=bool(meta.get("shows_value", False)),
        )


def named(
    rule: str, effect: str, reason: str, notes: str, *, remedy: str = "", shows_value: bool = False
) -> dict[str, Any]:
    """Return the keyword arguments that make an expectation one of our rules.

    `reason` completes "this row is held back because …" and is stored with it; `notes` says what a failure
    would mean; `shows_value` adds the offending value to the reason and must stay off for personal data.
    """
    meta = {"rule": rule, "effect": effect, "reason": reason, "remedy": remedy, "shows_value": shows_value}
    return {"meta": meta, "notes": notes, "severity": _SEVERITY[effect]}


def holds(
    rule: str, reason: str, notes: str, *, effect: str = QUARANTINE, remedy: str = ""
) -> gxe.ExpectColumnValuesToBeInSet:
    """Return the expectation that the view's yes-or-no column named like the rule is never no.

    Null means that the question does not arise for the row, and passes.
    """
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToBeInSet(
        column=rule, value_set=[True], **named(rule, effect, reason, notes, remedy=remedy)
    )


def no_rows(query: str, **kwargs: Any) -> gxe.UnexpectedRowsExpectation:
    """Return the expectation that a query over `{batch}` finds nothing.

    It must select source_provider, timing_partner_id, relation, failing, sample_keys and detail, one row
    per partner and provider: Great Expectations hands over no more than 200 rows.
    """
    import great_expectations.expectations as gxe

    return gxe.UnexpectedRowsExpectation(unexpected_rows_query=query, **kwargs)


def build(name: str, *expectations: Any) -> gx.ExpectationSuite:
    """Return the suite of these expectations."""
    import great_expectations as gx

    return gx.ExpectationSuite(name=name, expectations=list(expectations))


def one_row_per_key(relation: str) -> gxe.UnexpectedRowsExpectation:
    """Return the expectation that no key occurs twice, which stops the publish."""
    return no_rows(
        f"""
select
    source_provider,
    timing_partner_id,
    '{relation}' as relation,
    count(*) as failing,
    (array_agg(row_key order by row_key))[1:5] as sample_keys,
    'keys that occur more than once: ' || count(*) as detail
from (
    select source_provider, timing_partner_id, row_key
    from {{batch}}
    group by source_provider, timing_partner_id, row_key
    having count(*) > 1
) as twice
group by source_provider, timing_partner_id
""",  # noqa: S608 - the relation's name is our own
        **named(
            "one_row_per_key",
            STOP,
            "keys occur more than once",
            "A join in a model multiplied rows; publishing would keep one of them at random.",
            remedy="repair the model that joins, and build again with --full-refresh",
        ),
    )
