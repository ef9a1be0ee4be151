"""ChronoTrack's results, one row per athlete and interval, as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_chronotrack_results"
RELATION = "unified_results"
NEEDS = ("raw_chronotrack.results", "raw_chronotrack.events")

VIEW = """
select
    'chronotrack/' || r.timing_partner_id || '/' || r.event_id || '/' || r.results_entry_id as row_key,
    r.timing_partner_id::int as timing_partner_id,
    'chronotrack'::text as source_provider,
    r.ctid::text as origin,
    exists (
        select from raw_chronotrack.events as e
        where e.timing_partner_id = r.timing_partner_id and e.event_id = r.event_id
    ) as result_has_its_event,
    case when r.results_interval_full then r.results_end_chip_time >= r.results_begin_chip_time end
        as finish_mat_after_start_mat,
    case when not r.results_interval_full then r.results_end_chip_time >= r.results_begin_chip_time end
        as split_mat_after_start_mat
from raw_chronotrack.results as r
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "result_has_its_event",
            "it refers to no event of this partner at ChronoTrack",
            "The event was hidden or moved to another account while its results were read.",
        ),
        rules.holds(
            "finish_mat_after_start_mat",
            "its finish mat was crossed before its start mat",
            "A mat's clock is wrong, or two chips were swapped; the time that follows from it is not one.",
        ),
        rules.holds(
            "split_mat_after_start_mat",
            "a split mat was crossed before the start mat",
            "A stray read: the split is wrong and the finish may well be right.",
            effect=rules.WARN,
        ),
    )
