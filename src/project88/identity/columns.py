"""What comes in: a table of anybody's, its columns found by our names, by names that are often used, or by the caller's.

Everything is handed on as text; what a text means is decided in `cleaning`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from project88.errors import ActionNeeded

COLUMNS: dict[str, tuple[str, ...]] = {
    # ours: what else it is often called
    "record_id": ("rec_id", "id", "participant_key"),
    "first_name": ("given_name", "forename", "firstname"),
    "middle_name": ("middlename", "middle_initial"),
    "last_name": ("surname", "family_name", "lastname"),
    "full_name": ("name", "athlete_name", "entry_name"),
    "birth_date": ("date_of_birth", "dob", "birthdate", "birthday"),
    "birth_year": ("year_of_birth", "yob"),
    "age": ("age_at_event", "race_age"),
    "age_band": ("age_group", "division"),
    "event_date": ("race_date",),
    "gender": ("sex",),
    "email": ("email_address", "e_mail"),
    "phone": ("phone_number", "mobile", "telephone"),
    "address": ("street", "street_address"),
    "city": ("town", "suburb"),
    "region": ("state", "province", "county"),
    "country": ("country_code",),
    "postcode": ("postal_code", "zip", "zipcode", "zip_code"),
    "nationality": (),
    "club": ("club_name",),
    # A number that belongs to the person: a licence, a membership, a passport.
    "member_id": ("licence", "license_number", "membership_number"),
    "bib": ("bib_number", "bib_num"),
    "event": ("event_id",),
    "provider": ("source_provider",),
    "timing_partner": ("timing_partner_id",),
    # True where the organiser marked the entry as a second one of somebody who is in the event already.
    "is_duplicate": (),
}
MOST_NAMED = 5


def as_arrow(records: Any) -> pa.Table:
    """Return records (Arrow table, batches or reader, pandas or anything that speaks Arrow's C stream) as an Arrow table."""
    if isinstance(records, pa.Table):
        return records
    if isinstance(records, pa.RecordBatch):
        return pa.Table.from_batches([records])
    if is_pandas(records):
        # Column by column: a column of mixed numbers and texts, as spreadsheets give, is not one Arrow type.
        return pa.table({str(name): _from_pandas(records[name]) for name in records.columns})
    if hasattr(records, "__arrow_c_stream__"):
        return pa.table(records)
    if isinstance(records, Mapping):
        return pa.table(dict(records))
    if isinstance(records, list):
        keys = dict.fromkeys(key for one in records for key in one)
        return pa.table({key: _mixed([one.get(key) for one in records]) for key in keys})
    raise TypeError(f"records must be an Arrow table or a pandas DataFrame, not {type(records).__name__}")


def is_pandas(records: Any) -> bool:
    """Return whether this is a pandas DataFrame, without importing pandas."""
    return type(records).__module__.partition(".")[0] == "pandas" and hasattr(records, "columns")


def _from_pandas(series: Any) -> pa.Array:
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return _mixed([None if gone else one for one, gone in zip(series, series.isna(), strict=True)])


def _mixed(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if one is None else _text_of(one) for one in values], pa.string())


def _text_of(value: Any) -> str:
    if isinstance(value, bytes):
        return _decoded(value)
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _decoded(value: bytes) -> str:
    # Files of mixed encodings: what is not UTF-8 is taken for the commonest of the others.
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")


def standard(records: Any, names: Mapping[str, str] | None = None) -> pa.Table:
    """Return a table with all of `COLUMNS` as text (null where there is none), rows in their order.

    `names` says which of the caller's columns is meant, ours first: {"city": "Wohnort"}.
    """
    table = as_arrow(records)
    found = _found(table.column_names, names or {})
    columns = {name: _text(table.column(found[name])) if name in found else None for name in COLUMNS}
    if columns["record_id"] is None:
        # Nobody's own number: the row's, counted from 1 as a spreadsheet does.
        columns["record_id"] = pa.array([str(n + 1) for n in range(table.num_rows)], pa.string())
    empty = pa.nulls(table.num_rows, pa.string())
    made = pa.table({name: empty if column is None else column for name, column in columns.items()})
    _check_ids(made.column("record_id"))
    return made


def _found(given: list[str], names: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(set(names) - set(COLUMNS))
    if unknown:
        raise ActionNeeded(f"{', '.join(unknown)}: not a column the linkage knows; it knows {', '.join(COLUMNS)}")
    absent = sorted(set(names.values()) - set(given))
    if absent:
        raise ActionNeeded(f"no column {', '.join(absent)} in the records; there are {', '.join(given)}")
    plain = {name.strip().lower().replace(" ", "_").replace("-", "_"): name for name in reversed(given)}
    found = dict(names)
    for ours, others in COLUMNS.items():
        if ours not in found:
            known = next(
                (plain[name] for name in (ours, *others) if name in plain and plain[name] not in names.values()), None
            )
            if known is not None:
                found[ours] = known
    return found


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _text(pc.cast(column, kind.value_type))
    if pa.types.is_floating(kind):
        # 42.0 is an age that a spreadsheet made a fraction of; NaN is its way to say nothing.
        column = pc.if_else(pc.is_finite(column), column, None)
        whole = pc.and_(pc.equal(column, pc.round(column)), pc.less(pc.abs(column), 1e15))
        as_number = pc.cast(pc.cast(pc.if_else(whole, column, None), pa.int64()), pa.string())
        return pc.coalesce(as_number, pc.cast(column, pa.string()))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _of_bytes(column)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pc.strftime(pc.cast(column, pa.timestamp("us", getattr(kind, "tz", None))), format="%Y-%m-%d")
    says_nothing = pa.types.is_null(kind) or pa.types.is_nested(kind)
    return pa.chunked_array([pa.nulls(len(column), pa.string())]) if says_nothing else pc.cast(column, pa.string())


def _of_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        texts = [None if one is None else _decoded(one) for one in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])


def _check_ids(ids: pa.ChunkedArray) -> None:
    missing = pc.or_kleene(pc.is_null(ids), pc.equal(ids, ""))
    if pc.any(missing).as_py():
        row = pc.index(missing, True).as_py()
        raise ActionNeeded(f"row {row + 1} has no record_id; every record needs one, or leave the column out")
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(pc.struct_field(counts, "counts"), 1))
    if len(repeated):
        some = sorted(one.as_py() for one in repeated.field("values"))
        more = f" and {len(some) - MOST_NAMED:,} more" if len(some) > MOST_NAMED else ""
        raise ActionNeeded(
            f"record_id is not unique: {', '.join(some[:MOST_NAMED])}{more}; give every record an id of its own"
        )
