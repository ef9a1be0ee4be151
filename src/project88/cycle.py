"""One cycle: what arrived is built, judged and published. What is slow to start stays warm between cycles."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from project88 import db, settings, transform
from project88.errors import ActionNeeded
from project88.tell import Teller

if TYPE_CHECKING:
    from expectations.runner import Gate, Stage
    from project88.publish import Publication

PIPELINE_LOCK = 8801
MOST_FAILURES_TOLD = 8
STAGES: tuple[tuple[Stage, str], ...] = (
    ("arrivals", "gate: what arrived"),
    ("candidates", "gate: what would be published"),
)


@dataclass
class CycleReport:
    """What a cycle did: rows written, rows held back and freed, seconds per step."""

    publication: Publication
    quarantined: int = 0
    resolved: int = 0
    steps: dict[str, float] = field(default_factory=dict)


class Cycle:
    """Builds, judges and publishes one database, again and again.

    One process at a time does this to a database; others wait. A cycle that stops leaves what is published as it was,
    and the next one takes up what it left.
    """

    def __init__(self, dsn: str) -> None:
        """Prepare nothing yet: the first cycle, or `warm`, pays for starting up."""
        self._dsn = dsn
        self._transformer = transform.Transformer(dsn)
        self._gate: Gate | None = None

    def warm(self) -> None:
        """Begin, in the background, what takes seconds: to import the gate and dbt, to read dbt's project."""
        # Meanwhile the taps wait for their providers.
        threading.Thread(target=self._start, daemon=True).start()

    def _start(self) -> None:
        with contextlib.suppress(ImportError):
            import great_expectations  # noqa: F401

            import project88.identity  # noqa: F401
        # What keeps it from starting is told by the cycle.
        with contextlib.suppress(Exception):
            self._transformer.warm()

    def run(self, run_id: str, *, now: datetime, teller: Teller | None = None, rebuild: bool = False) -> CycleReport:
        """Bring the published relations up to date with raw; `rebuild` builds every row anew instead of what changed.

        Raises ActionNeeded when building, the gate or publishing stops.
        """
        from expectations.runner import Gate, accept_baseline
        from project88.persons import step as who_is_who
        from project88.persons.linkage import Linkage
        from project88.publish import publish

        teller = teller or Teller(quiet=True)
        steps: dict[str, float] = {}
        quarantined = resolved = 0
        self._gate = self._gate or Gate(self._dsn)
        linkage = Linkage(settings.private_folder("persons"))
        with self._turn():
            with teller.step("dbt builds the candidates") as done:
                built = self._transformer.build(everything=rebuild, persons=False)
                steps["build"] = done(f"{built.nodes} models and tests")
            for stage, title in STAGES:
                if stage == "candidates":
                    # What did not arrive as it should has stopped by now, and is nobody's history.
                    with teller.step("who is who") as done:
                        found = who_is_who.bring_up_to_date(self._dsn, linkage, now)
                        if built.nodes or found.waits:
                            self._transformer.build_persons()
                        steps["who is who"] = done(f"{found.linked:,} records linked, {found.moved:,} entries moved")
                with teller.step(title) as done:
                    gate = self._gate.run(stage, run_id, now, settings.home() / "docs" / "gate")
                    quarantined += gate.quarantined
                    resolved += gate.resolved
                    warned = f", {len(gate.warnings)} warnings" if gate.warnings else ""
                    steps[f"gate {stage}"] = done(
                        f"passed, {gate.quarantined:,} rows held back{warned}" if gate.passed else "STOPPED"
                    )
                if not gate.passed:
                    raise ActionNeeded(stop_message(gate.failures))
            with teller.step("publish, in one transaction") as done:
                publication = publish(self._dsn, run_id=run_id, now=now, hooks=[accept_baseline])
                steps["publish"] = done(f"{publication.changed:,} rows changed")
        return CycleReport(publication, quarantined, resolved, steps)

    @contextlib.contextmanager
    def _turn(self) -> Any:
        holder = db.connect(self._dsn)
        try:
            holder.autocommit = True
            with holder.cursor() as cursor:
                # The session's: it ends with a process that is killed.
                cursor.execute("select pg_advisory_lock(%s)", (PIPELINE_LOCK,))
            yield
        finally:
            holder.close()


def stop_message(failures: list[Any]) -> str:
    """Return one line per rule that stopped the publish: rule, provider, partner, sample keys."""
    lines = [
        f"{failure.rule} on {failure.relation} ({failure.source_provider or 'all providers'}, "
        f"partner {failure.timing_partner_id if failure.timing_partner_id is not None else 'any'}): {failure.message}"
        + (f"; for example {', '.join(failure.sample_keys[:3])}" if failure.sample_keys else "")
        for failure in failures
    ]
    if len(lines) > MOST_FAILURES_TOLD:
        lines[MOST_FAILURES_TOLD:] = [f"and {len(lines) - MOST_FAILURES_TOLD} more: see hub.gate_results of this run"]
    return "the gate stopped the publish; what is published stays as it was\n  " + "\n  ".join(lines)
