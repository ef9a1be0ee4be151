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
    scope_column: str = "event_id"  # what the scope of a reading names
    row_keys: tuple[str, ...] = ()  # of keys, those that make the row_key of what is published; empty: all

    @property
    def table(self) -> str:
        """Return the table's full name."""
        return f"raw_{self.provider}.{self.name}"

    @property
    def record_key(self) -> str:
        """Return the SQL of a row's record_key, the table being `t`."""
        return " || '/' || ".join(f"t.{key}::text" for key in self.keys)

    @property
    def id_type(self) -> str:
        """Return the SQL type of the provider's ids."""
        return ID_TYPES[self.provider]

    @property
    def row_key(self) -> str:
        """Return the SQL of the key under which a row is published, the table being `t`."""
        parts = ["t.timing_partner_id", *(f"t.{key}" for key in self.row_keys or self.keys)]
        return f"'{self.provider}/' || " + " || '/' || ".join(parts)

    def key_parts(self, row_key: str) -> dict[str, str]:
        """Return the SQL of the key columns that a row_key names: the way back to the table's index."""
        columns = {"timing_partner_id": "bigint"} | dict.fromkeys(self.row_keys or self.keys, self.id_type)
        return {
            column: as_id(f"split_part({row_key}, '/', {place})", kind)
            for place, (column, kind) in enumerate(columns.items(), start=2)
        }

    def same_record(self, side: str) -> str:
        """Return the condition that the row `t` is the one that a side stream's record_key names, for the index."""
        parts = [f"t.timing_partner_id = {side}.timing_partner_id"]
        for place, key in enumerate(self.keys, start=1):
            part = as_id(f"split_part({side}.record_key, '/', {place})", self.id_type)
            parts.append(f"t.{key} = {part}")
        return " and ".join(parts)


ID_TYPES = {
    "runsignup": "bigint",
    "chronotrack": "text",
    "letsdothis": "text",
    "raceroster": "text",
    "haku": "text",
    "copernico": "text",
}


def as_id(text: str, kind: str) -> str:
    """Return the SQL of an id of a type; null, which equals nothing, where the text is none."""
    if kind == "text":
        return text
    return f"case when {text} ~ '^-?[0-9]{{1,18}}$' then {text}::{kind} end"


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
        ("results_first_name", "results_last_name", "results_time"), row_keys=("event_id", "results_entry_id"),
    ),
    Stream("letsdothis", "events", ("event_id",), ("title",), by_event=False),
    Stream("letsdothis", "occurrences", ("occurrence_id",), ("start_date", "timezone"), by_event=False),
    Stream("letsdothis", "races", ("race_id",), ("title",), by_event=False),
    Stream(
        "letsdothis", "participants", ("participant_id",),
        ("first_name", "last_name", "gender", "date_of_birth", "status"), scope_column="occurrence_id",
    ),
    Stream(
        "letsdothis", "applications", ("application_id",),
        ("first_name", "last_name", "gender", "date_of_birth", "status"), scope_column="occurrence_id",
    ),
    Stream("raceroster", "events", ("event_id",), ("name", "start_date", "time_zone"), by_event=False),
    Stream("raceroster", "sub_events", ("sub_event_id",), ("name",), by_event=False),
    Stream(
        "raceroster", "participants", ("participant_id",),
        ("first_name", "last_name", "gender", "date_of_birth", "registration_status", "registration_date"),
    ),
    Stream("raceroster", "results", ("result_id",), ("name", "race_status")),
    Stream("haku", "events", ("event_id",), ("name", "event_date")),
    Stream("haku", "categories", ("event_id", "category_id"), ("name",)),
    Stream(
        "haku", "participants", ("event_id", "registration_number"), ("person_full_name", "registered_at"),
        row_keys=("registration_number",),
    ),
    Stream(
        "haku", "registrations", ("event_id", "registration_number"), ("first_name", "last_name", "gender", "dob"),
        row_keys=("registration_number",),
    ),
    Stream("copernico", "races", ("race_id",), ("race_name",), by_event=False),
    Stream("copernico", "events", ("event_id",), ("event_name",)),
    Stream("copernico", "participants", ("event_id", "participant_id"), ("name", "surname", "gender", "status")),
    Stream("copernico", "results", ("event_id", "participant_id"), ("name", "surname")),
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


def _is_gone(stream: Stream) -> str:
    """Return the condition that a row `t` was removed and has not come back."""
    return f"""exists (
        select from raw_{stream.provider}.removals as gone
        where gone.timing_partner_id = t.timing_partner_id and gone.stream = '{stream.name}'
            and gone.record_key = {stream.record_key} and gone.returned_at is null
    )"""


def held_rows(stream: Stream) -> str:
    """Return the select that counts the live rows of a stream in the scope of a reading `r`.

    A scope is an event, found by its index, or the account, as ''. `refused` counts the live rows whose record the tap
    has ever refused: the provider's count may take them as refused or as readable. `last_read_at` is that of the last
    row or removal.
    """
    scope = "r.scope = ''"
    if stream.by_event:
        # Two halves, since no index serves "this event, or all of them".
        columns = ", ".join(f"t.{column}" for column in ("timing_partner_id", "read_at", *stream.keys))
        source = f"""(
        select {columns} from {stream.table} as t
        where t.timing_partner_id = r.timing_partner_id and t.{stream.scope_column} = {as_id("r.scope", stream.id_type)}
        union all
        select {columns} from {stream.table} as t
        where t.timing_partner_id = r.timing_partner_id and r.scope = ''
    )"""
    else:
        source = f"(select * from {stream.table} as a where a.timing_partner_id = r.timing_partner_id and {scope})"
    live = "(gone.record_key is null or gone.returned_at is not null)"
    return f"""
    select
        count(*) filter (where {live}) as live,
        count(*) filter (where {live} and exists (
            select from raw_{stream.provider}.rejects as refused
            where refused.timing_partner_id = t.timing_partner_id and refused.stream = '{stream.name}'
                and refused.record_key = {stream.record_key}
        )) as refused,
        greatest(max(t.read_at), max(gone.read_at)) as last_read_at
    from {source} as t
    left join raw_{stream.provider}.removals as gone
        on gone.timing_partner_id = t.timing_partner_id and gone.stream = '{stream.name}'
        and gone.record_key = {stream.record_key}
    where r.stream = '{stream.name}'
    having r.stream = '{stream.name}'"""


def _missing(column: str) -> str:
    return f"coalesce(t.{column}::text, '') = ''"


def _object(pairs: list[str]) -> str:
    return f"jsonb_build_object({', '.join(pairs)})"


def count_stream(stream: Stream, since: str) -> str:
    """Return the select that measures a raw table per partner.

    Rows come from hub.raw_counts; what was removed is taken off. What came since the last publish (`since` finds it by
    the index) is counted and added to what came before: `arrivals`, and in `facts` how many of them lacked a value.
    """
    live, recent = f"not {_is_gone(stream)}", "(b.newest is null or t.changed_at > b.newest)"
    counts = ", ".join(
        f"count(*) filter (where t.is_live and t.is_recent and t.{column}_missing) as {column}_missing"
        for column in stream.facts
    )
    facts = _object(
        [
            f"""'{column}', jsonb_build_object(
            'nulls', coalesce((b.facts -> '{column}' ->> 'nulls')::bigint, 0) + coalesce(f.{column}_missing, 0),
            'recent_nulls', coalesce(f.{column}_missing, 0))"""
            for column in stream.facts
        ]
    )
    missing = ", ".join(f"{_missing(column)} as {column}_missing" for column in stream.facts)
    return f"""
with b as (
    select * from hub.gate_baselines where stage = 'arrivals' and relation = '{stream.table}'
),
fresh as (
    select
        t.timing_partner_id, max(t.changed_at) as newest,
        count(*) filter (where t.is_live and t.is_recent) as recent, {counts}
    from (
        select t.timing_partner_id, t.changed_at, {live} as is_live, {recent} as is_recent, {missing}
        from {stream.table} as t
        left join b on b.timing_partner_id = t.timing_partner_id
        where {since}
    ) as t
    group by t.timing_partner_id
),
removed as (
    select r.timing_partner_id, count((select true from {stream.table} as t where {stream.same_record("r")})) as rows
    from raw_{stream.provider}.removals as r
    where r.stream = '{stream.name}' and r.returned_at is null
    group by r.timing_partner_id
),
counted as (
    select c.timing_partner_id::int as timing_partner_id, c.rows from hub.raw_counts as c
    where c.provider = '{stream.provider}' and c.stream = '{stream.name}'
)
select
    %(run_id)s, 'arrivals', '{stream.table}', '{stream.provider}', timing_partner_id,
    coalesce(c.rows, 0), greatest(coalesce(c.rows, 0) - coalesce(g.rows, 0), 0), 0, coalesce(f.recent, 0),
    coalesce(b.arrivals, b.live, 0) + coalesce(f.recent, 0),
    greatest(b.newest, f.newest), {facts}, %(now)s
from counted as c
full join b using (timing_partner_id)
left join fresh as f using (timing_partner_id)
left join removed as g using (timing_partner_id)"""


def count_relation(relation: Relation, cascades: tuple[str, ...], *, whole: bool) -> str:
    """Return the select that measures a candidate relation per provider and partner, held-back rows apart.

    Rows come from hub.candidate_counts; what is held back is looked up by its key. What came since the last publish is
    looked for among the rows that changed, or in all of a relation that is `whole`.
    """
    present = "not coalesce(t.is_removed, false)" if relation.has_removals else "true"
    cascade = ", ".join(f"'{rule}'" for rule in cascades)
    # Rows held back by their own fault are not gone: their share has a rule of its own.
    quarantined = f"""
    select q.row_key, bool_or(q.rule not in ({cascade})) as by_own_fault
    from hub.quarantine as q
    where q.relation = '{relation.name}' and q.resolved_at is null
    group by q.row_key"""
    source = f"{relation.table} as t"
    if not whole:
        source = f"""hub.candidate_changes as k
    cross join lateral (select * from {relation.table} as t where t.{relation.key} = k.row_key limit 1) as t"""
    is_due = "true" if whole else f"k.relation = '{relation.name}'"
    held_facts = "".join(
        f", count(*) filter (where {present} and not q.by_own_fault and {_missing(column)}) as {column}_missing"
        for column in relation.facts
    )
    recent_facts = "".join(
        f", count(*) filter (where {_missing(column)}) as {column}_missing" for column in relation.facts
    )
    facts = _object(
        [
            f"""'{column}', jsonb_build_object(
            'nulls', coalesce((c.nulls ->> '{column}')::bigint, 0) - coalesce(h.{column}_missing, 0),
            'recent_nulls', coalesce(r.{column}_missing, 0))"""
            for column in relation.facts
        ]
    )
    return f"""
with b as (
    select * from hub.gate_baselines where stage = 'candidates' and relation = '{relation.name}'
),
held as (
    select
        t.source_provider, t.timing_partner_id,
        count(*) filter (where q.by_own_fault) as by_own_fault,
        count(*) filter (where {present} and not q.by_own_fault) as waiting{held_facts}
    from ({quarantined}) as q
    -- The limit keeps it a look-up by key, however long the planner thinks the list is.
    cross join lateral (select * from {relation.table} as t where t.{relation.key} = q.row_key limit 1) as t
    group by 1, 2
),
fresh as (
    select t.source_provider, t.timing_partner_id, count(*) as recent{recent_facts}
    from {source}
    inner join b on b.source_provider = t.source_provider and b.timing_partner_id = t.timing_partner_id
    where {is_due} and t.fetched_date > b.newest and {present}
        and not exists (select from ({quarantined}) as q where q.row_key = t.{relation.key} and not q.by_own_fault)
    group by 1, 2
),
counted as (
    select source_provider, timing_partner_id, rows, present, nulls, newest from hub.candidate_counts
    where relation = '{relation.name}'
)
select
    %(run_id)s, 'candidates', '{relation.name}', source_provider, timing_partner_id,
    coalesce(c.rows, 0), coalesce(c.present, 0) - coalesce(h.waiting, 0), coalesce(h.by_own_fault, 0),
    coalesce(r.recent, 0), coalesce(c.present, 0) - coalesce(h.waiting, 0),
    greatest(b.newest, c.newest), {facts}, %(now)s
from counted as c
full join b using (source_provider, timing_partner_id)
left join held as h using (source_provider, timing_partner_id)
left join fresh as r using (source_provider, timing_partner_id)"""
