"""What the linkage reads: entries, and results that name no entry, out of the candidate relations.

What says the same to the linkage is the same here, by a fingerprint: a fee that was paid links nobody anew.
"""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import csv

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

MOST_IN_MEMORY = 64 * 1024 * 1024
COLUMNS = (
    "provider", "event", "first_name", "middle_name", "last_name", "birth_date", "age", "event_date", "gender", "email",
    "phone", "city", "region", "country", "nationality", "postcode", "club", "bib", "is_duplicate",
)  # fmt: skip

# An age says nothing beside a birth date. The event is the race: who runs the 5K and the 10K of a day is one person.
ENTRIES = """
select
    p.participant_key as record_id,
    p.timing_partner_id,
    p.source_provider as provider,
    coalesce(p.race_key, p.event_key) as event,
    p.first_name,
    p.middle_name,
    p.last_name,
    p.birth_date,
    case when p.birth_date is null then p.age end as age,
    case when p.birth_date is null then e.event_date end as event_date,
    p.gender,
    p.email,
    coalesce(p.phone, p.phone_as_sent) as phone,
    p.city,
    p.state as region,
    p.country,
    p.nationality,
    p.postal_code as postcode,
    p.team_name as club,
    p.bib_number as bib,
    p.status_as_sent ilike '%duplicate%' as is_duplicate
from candidate.unified_participants as p
left join candidate.unified_events as e on p.event_key = e.event_key
"""
RESULTS = """
select
    p.result_key as record_id,
    p.timing_partner_id,
    p.source_provider as provider,
    coalesce(p.race_key, p.event_key) as event,
    p.first_name,
    null as middle_name,
    p.last_name,
    null::date as birth_date,
    p.age,
    e.event_date,
    p.gender,
    null as email,
    null as phone,
    p.city,
    p.state as region,
    p.country,
    null as nationality,
    null as postcode,
    null as club,
    p.bib_number as bib,
    false as is_duplicate
from candidate.unified_results as p
left join candidate.unified_events as e on p.event_key = e.event_key
"""
LISTED = ", ".join(f"t.{column}" for column in COLUMNS)


def everything() -> str:
    """Return the query of all records, with their fingerprints."""
    return _fingerprinted(f"{ENTRIES} union all {RESULTS} where p.participant_key is null")


def of_keys(keys: str) -> str:
    """Return the query of the records whose keys stand in a table (record_key)."""
    return _fingerprinted(
        f"{ENTRIES} inner join {keys} as k on p.participant_key = k.record_key union all "
        f"{RESULTS} inner join {keys} as k on p.result_key = k.record_key where p.participant_key is null"
    )


def _fingerprinted(query: str) -> str:
    print_ = f"md5(row({LISTED})::text)::uuid as fingerprint"
    return f"select t.record_id, t.timing_partner_id, {LISTED}, {print_} from ({query}) as t"


def read(cursor: Cursor, query: str) -> pa.Table:
    """Return what a query of records finds, as texts: record_id, timing_partner, the columns, fingerprint."""
    names = ["record_id", "timing_partner", *COLUMNS, "fingerprint"]
    # Millions of records do not fit beside what is made of them; the file has no name.
    with tempfile.SpooledTemporaryFile(MOST_IN_MEMORY) as lines:
        cursor.copy_expert(f"copy ({query}) to stdout (format csv)", lines)
        if not lines.tell():
            return pa.table({name: pa.array([], pa.string()) for name in names})
        lines.seek(0)
        return _parsed(lines, names)


def _parsed(lines: Any, names: list[str]) -> pa.Table:
    return csv.read_csv(
        lines,
        csv.ReadOptions(column_names=names),
        # A name may have a line break in it; an empty text says as little as none.
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]),
    )
