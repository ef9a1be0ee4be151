"""The streams that arrive and the relations that leave: their keys and the facts that are watched."""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stream:
    """One raw table."""

    provider: str
    name: str
    keys: tuple[str, ...]  # without the partner; joined with '/' they are the record_key of removals and rejects
    facts: tuple[str, ...] = ()  # columns whose sudden absence stops a publish
    by_event: bool = True

    @property
    def table(self) -> str:
        """Return the table's full name."""
        return f"raw_{self.provider}.{self.name}"

    @property
    def record_key(self) -> str:
        """Return the SQL of a row's record_key, the table being `t`."""
        return " || '/' || ".join(f"t.{key}::text" for key in self.keys)


@dataclass(frozen=True)
class Relation:
    """One candidate relation that carries provider and partner."""

    name: str
    key: str
    facts: tuple[str, ...] = ()
    has_removals: bool = False

    @property
    def table(self) -> str:
        """Return the candidate's full name."""
        return f"candidate.{self.name}"


# E-mail, bib and phone are not watched: imports and early seasons rightly come without them.
STREAMS = (
    Stream("runsignup", "races", ("race_id",), ("name", "timezone"), by_event=False),
    Stream("runsignup", "events", ("event_id",), ("name", "start_time")),
    Stream(
        "runsignup", "participants", ("registration_id",),
        ("first_name", "last_name", "gender", "dob", "registration_date"),
    ),
    Stream("runsignup", "removed_participants", ("registration_id",), ("removed_reason",)),
    Stream("runsignup", "results", ("result_id",), ("first_name", "last_name", "clock_time")),
    Stream("chronotrack", "events", ("event_id",), ("event_name", "event_start_time", "location_time_zone")),
    Stream("chronotrack", "races", ("race_id",), ("race_name",)),
    Stream(
        "chronotrack", "entries", ("entry_id",),
        ("athlete_first_name", "athlete_last_name", "athlete_sex", "athlete_birthdate", "entry_status"),
    ),
    Stream("chronotrack", "brackets", ("bracket_id",), ("bracket_name",)),
    Stream("chronotrack", "intervals", ("interval_id",), ("interval_name",)),
    Stream(
        "chronotrack", "results", ("event_id", "results_entry_id", "results_interval_id"),
        ("results_first_name", "results_last_name", "results_time"),
    ),
)  # fmt: skip

RELATIONS = (
    Relation("unified_events", "event_key", ("event_name", "event_date", "time_zone")),
    Relation("unified_races", "race_key", ("race_name",)),
    Relation("unified_divisions", "division_key", ("division_name",)),
    Relation("unified_timing_points", "timing_point_key", ("timing_point_name",)),
    Relation(
        "unified_participants", "participant_key",
        ("first_name", "last_name", "gender", "birth_date", "registration_date", "status"), has_removals=True,
    ),
    Relation("unified_results", "result_key", ("first_name", "last_name", "chip_seconds"), has_removals=True),
)  # fmt: skip


def _gone(stream: Stream, *, in_force: str) -> str:
    """Return the join that finds the removal of a row `t`."""
    return f"""
left join raw_{stream.provider}.removals as gone
    on gone.timing_partner_id = t.timing_partner_id and gone.stream = '{stream.name}'
    and gone.record_key = {stream.record_key}{in_force}"""


def held_rows(stream: Stream) -> str:
    """Return the select that counts the live rows of a stream per event, and for the account as scope ''.

    `refused` counts the live rows whose record the tap has ever refused: the provider's count may take them as
    refused or as readable. `last_read_at` is that of the last row or removal.
    """
    scope, groups = "''", "group by t.timing_partner_id"
    if stream.by_event:
        scope = "case when grouping(t.event_id) = 1 then '' else t.event_id::text end"
        groups = "group by grouping sets ((t.timing_partner_id, t.event_id), (t.timing_partner_id))"
    live = "(gone.record_key is null or gone.returned_at is not null)"
    return f"""
select
    t.timing_partner_id,
    '{stream.name}'::text as stream,
    {scope} as scope,
    count(*) filter (where {live}) as live,
    count(*) filter (where {live} and refused.record_key is not null) as refused,
    greatest(max(t.read_at), max(gone.read_at)) as last_read_at
from {stream.table} as t{_gone(stream, in_force="")}
left join (
    select distinct timing_partner_id, record_key
    from raw_{stream.provider}.rejects
    where stream = '{stream.name}' and record_key is not null
) as refused
    on refused.timing_partner_id = t.timing_partner_id and refused.record_key = {stream.record_key}
{groups}"""


def _facts(columns: tuple[str, ...], live: str, recent: str) -> str:
    """Return the SQL of the object that counts missing values per watched column."""
    pairs = []
    for column in columns:
        missing = f"coalesce(t.{column}::text, '') = '' and {live}"
        pairs.append(
            f"'{column}', jsonb_build_object('nulls', count(*) filter (where {missing}),"
            f" 'recent_nulls', count(*) filter (where {missing} and {recent}))"
        )
    return f"jsonb_build_object({', '.join(pairs)})"


def count_stream(stream: Stream) -> str:
    """Return the select that measures a raw table per partner."""
    live, recent = "gone.record_key is null", "t.changed_at > b.newest"
    return f"""
select
    %(run_id)s, 'arrivals', '{stream.table}', '{stream.provider}', t.timing_partner_id,
    count(*), count(*) filter (where {live}), 0, count(*) filter (where {live} and {recent}),
    max(t.changed_at), {_facts(stream.facts, live, recent)}, %(now)s
from {stream.table} as t{_gone(stream, in_force=" and gone.returned_at is null")}
left join hub.gate_baselines as b
    on b.stage = 'arrivals' and b.relation = '{stream.table}' and b.source_provider = '{stream.provider}'
    and b.timing_partner_id = t.timing_partner_id
group by t.timing_partner_id"""


def count_relation(relation: Relation, cascades: tuple[str, ...]) -> str:
    """Return the select that measures a candidate relation per provider and partner, held-back rows apart."""
    present = "not coalesce(t.is_removed, false)" if relation.has_removals else "true"
    # Rows held back by their own fault are not gone: their share has a rule of its own.
    live, recent = f"{present} and held.by_own_fault is not false", "t.fetched_date > b.newest"
    cascade = ", ".join(f"'{rule}'" for rule in cascades)
    return f"""
select
    %(run_id)s, 'candidates', '{relation.name}', t.source_provider, t.timing_partner_id,
    count(*), count(*) filter (where {live}), count(*) filter (where held.by_own_fault),
    count(*) filter (where {live} and {recent}),
    max(t.fetched_date), {_facts(relation.facts, live, recent)}, %(now)s
from {relation.table} as t
left join (
    select q.row_key, bool_or(q.rule not in ({cascade})) as by_own_fault
    from hub.quarantine as q
    where q.relation = '{relation.name}' and q.resolved_at is null
    group by q.row_key
) as held on held.row_key = t.{relation.key}
left join hub.gate_baselines as b
    on b.stage = 'candidates' and b.relation = '{relation.name}' and b.source_provider = t.source_provider
    and b.timing_partner_id = t.timing_partner_id
group by t.source_provider, t.timing_partner_id"""
