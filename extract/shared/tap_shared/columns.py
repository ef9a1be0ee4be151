"""Turn a provider's record into typed columns, or say which field will not be typed and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as a_field
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from tap_shared import lists
from tap_shared.clock import as_text, iso_date
from tap_shared.errors import ShapeChanged
from tap_shared.lists import FEWER_DIGITS, LARGEST

Convert = Callable[[Any], Any]
Record = dict[str, Any]

HALF_OF_AT_LEAST = 4

TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": ["string", "null"]},
    "integer": {"type": ["integer", "null"]},
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "instant": {"type": ["string", "null"], "format": "date-time"},
    "date": {"type": ["string", "null"], "format": "date"},
    "object": {"type": ["object", "null"]},
    "array": {"type": ["array", "null"]},
}


def _got(value: object) -> str:
    shown = value if isinstance(value, (int, float)) else repr(value)[:60]
    return f"got {type(value).__name__} {shown}"


def to_text(value: Any) -> str:
    """Return text as sent; a number becomes its digits."""
    if type(value) is str:
        return value
    if type(value) is int or type(value) is float:
        return str(value)
    raise ValueError(f"expected text, {_got(value)}")


def to_integer(value: Any) -> int | None:
    """Return a whole number, from digits in a text too; blank is null."""
    if type(value) is int:
        number = value
    elif type(value) is str:
        if value.isdecimal() and value.isascii() and len(value) < FEWER_DIGITS:
            return int(value)
        digits = value.strip()
        if not digits:
            return None
        try:
            # int() alone would take 1_000 and digits of other scripts.
            if not digits.isascii() or "_" in digits:
                raise ValueError
            number = int(digits) if digits.lstrip("+-").isdecimal() else _whole(digits)
        except ValueError:
            raise ValueError(f"expected a whole number, {_got(value)}") from None
    elif type(value) is float and value.is_integer():
        number = int(value)
    else:
        raise ValueError(f"expected a whole number, {_got(value)}")
    if not -LARGEST <= number <= LARGEST:
        raise ValueError("a whole number beyond 64 bits")
    return number


def _whole(digits: str) -> int:
    number = float(digits)
    if not number.is_integer():
        raise ValueError
    return int(number)


def to_number(value: Any) -> float | int | None:
    """Return a number, from text too; blank is null."""
    if type(value) is int or type(value) is float:
        number: float | int = value
    elif type(value) is str:
        if not value.strip():
            return None
        try:
            if not value.isascii() or "_" in value:
                raise ValueError
            number = float(value)
        except ValueError:
            raise ValueError(f"expected a number, {_got(value)}") from None
    else:
        raise ValueError(f"expected a number, {_got(value)}")
    if not math.isfinite(number):
        raise ValueError(f"expected a number, {_got(value)}")
    return number


def truth(yes: Iterable[Any], no: Iterable[Any]) -> Convert:
    """Return a converter for a provider's own spelling of true and false; blank is null."""
    spelled: dict[Any, bool | None] = {"": None}
    spelled |= dict.fromkeys(yes, True) | dict.fromkeys(no, False)

    def to_boolean(value: Any) -> bool | None:
        if value is True or value is False:
            return value
        try:
            return spelled[value]
        except (KeyError, TypeError):
            raise ValueError(f"expected true or false, {_got(value)}") from None

    return to_boolean


def to_date(value: Any) -> str | None:
    """Return an ISO day; blank is null."""
    return None if value == "" else iso_date(value)


def to_epoch(value: Any) -> str | None:
    """Return the instant of Unix seconds, from text too; blank is null."""
    if type(value) is str and (text := _epoch_text(value)) is not None:
        return text
    seconds = to_number(value)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"expected Unix seconds, {_got(value)}") from None


def _epoch_text(value: str) -> str | None:
    """Return the instant of plain digits, with six more after a point at most; None for any other text."""
    whole, point, fraction = value.partition(".")
    if len(whole) > 10 or len(fraction) > 6 or not value.isascii() or not whole.isdecimal():
        return None
    if not point or not fraction.strip("0"):
        return f"{_second(whole)}+00:00" if not fraction or fraction.isdecimal() else None
    return f"{_second(whole)}.{fraction:0<6}+00:00" if fraction.isdecimal() else None


# Runners finish at the same seconds.
@lru_cache(maxsize=65_536)
def _second(digits: str) -> str:
    return datetime.fromtimestamp(int(digits), UTC).isoformat()[:19]


def to_instant(value: Any) -> str | None:
    """Return the instant of an ISO text that carries its offset; blank is null."""
    if value == "":
        return None
    if not isinstance(value, str):
        raise TypeError(f"expected a time, {_got(value)}")
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("a time without an offset")
    return as_text(instant)


def to_object(value: Any) -> dict[str, Any]:
    """Return an object as sent."""
    if type(value) is not dict:
        raise ValueError(f"expected an object, {_got(value)}")
    return value


def to_array(value: Any) -> list[Any]:
    """Return an array as sent."""
    if type(value) is not list:
        raise ValueError(f"expected an array, {_got(value)}")
    return value


CONVERTERS: dict[str, Convert] = {
    "text": to_text,
    "integer": to_integer,
    "number": to_number,
    "boolean": truth((1,), (0,)),
    "instant": to_instant,
    "date": to_date,
    "object": to_object,
    "array": to_array,
}

# What does as a converter for all values of an answer, for columns that name none of their own.
MANY: dict[Convert, Callable[[Sequence[Any]], Any]] = {to_integer: lists.integers}


@dataclass(frozen=True)
class Column:
    """One typed column: where it stands in the provider's record and what it must be.

    `path`     keys joined with dots; the column's own name where left out
    `required` null or missing makes the record a reject
    `sent`     documented as part of every record (null allowed); missing in all records of an
               answer means that the provider changed its shape
    `given`    not in the record: the stream supplies it
    `known`    the documented values; others are kept and reported once
    `within`   a converter that needs the given columns too (say, the event's time zone)
    `many`     does as `convert` for all values of an answer, where it can, else returns None (tap_shared.together,
               tap_shared.lists); of a key or a required column only a list counts, which is looked through
    """

    name: str
    type: str = "text"
    description: str = ""
    path: str = ""
    required: bool = False
    sent: bool = True
    given: bool = False
    convert: Convert | None = None
    known: frozenset[Any] | None = None
    within: Callable[[Any, Mapping[str, Any]], Any] | None = None
    many: Callable[[Sequence[Any]], Any] | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the way to the value inside the record."""
        return tuple((self.path or self.name).split("."))

    def schema(self) -> dict[str, Any]:
        """Return the column's JSON schema."""
        kind = dict(TYPES[self.type])
        if self.required:
            kind["type"] = [name for name in kind["type"] if name != "null"]
        return kind | ({"description": self.description} if self.description else {})


@dataclass(slots=True)
class Reject:
    """A record that is not delivered, and why."""

    field: str
    reason: str
    record: Any
    record_key: str | None = None
    given: Mapping[str, Any] = a_field(default_factory=dict)


class Unfit(Exception):  # noqa: N818 - it becomes a Reject
    """A record that will not be typed."""

    def __init__(self, field: str, reason: str) -> None:
        """Name the field at fault."""
        super().__init__(reason)
        self.field = field
        self.reason = reason


@dataclass(slots=True)
class TypedPage:
    """What one answer's records became."""

    # (record_key, row, the columns given to it): what is left to do is to compare, to write and to count
    rows: list[tuple[str, Record, Mapping[str, Any]]] = a_field(default_factory=list)
    rejects: list[Reject] = a_field(default_factory=list)
    unknown: set[tuple[str, str]] = a_field(default_factory=set)


Check = Callable[[Record, Record], "tuple[str, str] | None"]

# Fewer are typed one by one: it is what decides whether an answer has changed its shape.
FEW = 8
TEXT, TEXT_OR_NULL = frozenset({str}), frozenset({str, type(None)})


@dataclass(slots=True)
class PlainPage:
    """An answer typed column by column, in which no record stands out.

    A column is a list, or, where its values were converted together, an Arrow array.
    """

    keys: list[str]
    columns: dict[str, Any]
    unknown: set[tuple[str, str]]


class Typer:
    """The columns of one stream, prepared once so that a record costs little."""

    def __init__(self, columns: Sequence[Column], keys: Sequence[str]) -> None:
        """Group the columns by the object that holds them, in the order of the columns."""
        grouped: dict[tuple[str, ...], tuple[list[tuple[str, str]], list[tuple[str, str, Convert, bool]]]] = {}
        self._columns = [column for column in columns if not column.given]
        for column in self._columns:
            if column.within is not None:
                continue
            *parents, last = column.keys
            texts, others = grouped.setdefault(tuple(parents), ([], []))
            if column.type == "text" and column.convert is None and not column.required:
                texts.append((column.name, last))
            else:
                others.append((column.name, last, column.convert or CONVERTERS[column.type], column.required))
        self._plan = tuple((parents, tuple(texts), tuple(others)) for parents, (texts, others) in grouped.items())
        self._known = tuple((c.name, c.known | {None, ""}) for c in self._columns if c.known is not None)
        self._within = tuple(column for column in self._columns if column.within is not None)
        self._many = {
            column.name: many
            for column in self._columns
            if (many := column.many or MANY.get(column.convert or CONVERTERS[column.type]))
        }
        # Keys and what must not be empty are looked through: of these only a list will do.
        self._looked_through = {c.name for c in self._columns if c.required or c.name in keys}
        self._keys = tuple(keys)
        self._key_columns = {column.name: column for column in self._columns if column.name in keys}

    def page(
        self,
        records: Iterable[tuple[Any, Mapping[str, Any]]],
        *,
        check: Check | None = None,
        where: str = "",
    ) -> TypedPage:
        """Type one answer: pairs of a record and the columns that the stream gives to it.

        Raises ShapeChanged when the answer as a whole is not what the provider documents.
        """
        page = TypedPage()
        pairs = list(records)
        for record, given in pairs:
            self._one(record, given, check, page)
        if pairs:
            self._check_shape([record for record, _ in pairs], page, where)
        return page

    def some(self, records: Iterable[tuple[Any, Mapping[str, Any]]], *, check: Check | None = None) -> TypedPage:
        """Type a few records of an answer whose shape is known to be the documented one."""
        page = TypedPage()
        for record, given in records:
            self._one(record, given, check, page)
        return page

    def plain(self, records: Sequence[Any], given: Sequence[Mapping[str, Any]]) -> PlainPage | None:
        """Type one answer column by column; None where it has to be done record by record.

        What comes out is what `page` makes of the same records, without their checks. It gives up at the first
        thing out of the ordinary: a record that would be a reject, a field that is missing everywhere.
        """
        if len(records) < FEW or self._within or set(map(type, records)) != {dict}:
            return None
        shared = len(set(map(id, given))) == 1
        columns: dict[str, Any] = {
            name: [value] * len(records) if shared else [one[name] for one in given] for name, value in given[0].items()
        }
        try:
            for parents, texts, others in self._plan:
                sources = _inside(records, parents)
                fetched = _values(sources, [key for _, key in (*texts, *((name, key) for name, key, _, _ in others))])
                for (name, _), values in zip(texts, fetched, strict=False):
                    if lists.are_texts(values) or set(map(type, values)) <= TEXT_OR_NULL:
                        columns[name] = list(values)
                    else:
                        columns[name] = [None if v is None else to_text(v) for v in values]
                for (name, _, convert, required), values in zip(others, fetched[len(texts) :], strict=True):
                    many = self._many.get(name)
                    converted = None if many is None else many(values)
                    if converted is None or (name in self._looked_through and type(converted) is not list):
                        converted = _converted(values, convert)
                    columns[name] = converted
                    if required and (None in converted or "" in converted):
                        return None
            self._check_shape(list(records), TypedPage(), "")
        except (ValueError, TypeError, AttributeError, KeyError, ShapeChanged):
            return None
        unknown = {(name, str(value)[:60]) for name, known in self._known for value in set(columns[name]) - known}
        return PlainPage(_joined_keys([columns[name] for name in self._keys]), columns, unknown)

    def keys_of(self, records: Sequence[Any], given: Sequence[Mapping[str, Any]]) -> list[str] | None:
        """Return each record's ids joined with '/'; None where that takes a closer look.

        That is where a record is no object or has no usable key, or all of them lack a field: as `plain` would.
        """
        if len(records) < FEW or set(map(type, records)) != {dict}:
            return None
        parts: list[list[Any]] = []
        try:
            self._check_shape(list(records), TypedPage(), "")
            for name in self._keys:
                column = self._key_columns.get(name)
                if column is None:
                    values = [one[name] for one in given]
                else:
                    *parents, last = column.keys
                    found = [source.get(last) for source in _inside(records, tuple(parents))]
                    values = _converted(found, column.convert or CONVERTERS[column.type])
                if None in values or "" in values:
                    return None
                parts.append(values)
        except (ValueError, TypeError, AttributeError, KeyError, ShapeChanged):
            return None
        return _joined_keys(parts)

    def _one(self, record: Any, given: Mapping[str, Any], check: Check | None, page: TypedPage) -> None:
        try:
            row = self._row(record, given, page)
            wrong = check(row, record) if check is not None else None
        except Unfit as unfit:
            wrong = unfit.field, unfit.reason
        if wrong is not None:
            page.rejects.append(Reject(*wrong, record, self.key_of(record, given), given))
            return
        keys = self._keys
        key = str(row[keys[0]]) if len(keys) == 1 else "/".join([str(row[k]) for k in keys])
        row["record"] = record
        page.rows.append((key, row, given))

    def _row(self, record: Any, given: Mapping[str, Any], page: TypedPage) -> Record:  # noqa: PLR0912 - in one piece, it is where the time goes
        name = ""
        try:
            if type(record) is not dict:
                raise ValueError(f"expected an object, {_got(record)}")
            row = dict(given)
            for parents, texts, others in self._plan:
                source: Any = record
                for parent in parents:
                    name = parent
                    source = source.get(parent)
                    if source is None:
                        source = {}
                        break
                    if type(source) is not dict:
                        raise ValueError(f"expected an object, {_got(source)}")
                get = source.get
                # Most columns are texts that came as texts: a call for each would double the cost.
                for name, key in texts:
                    value = get(key)
                    row[name] = value if type(value) is str or value is None else to_text(value)
                for name, key, convert, required in others:
                    value = get(key)
                    if value is not None:
                        value = convert(value)
                    if required and (value is None or value == ""):
                        raise ValueError("empty" if value == "" else "null" if key in source else "missing")
                    row[name] = value
            for name, known in self._known:
                if row[name] not in known:
                    page.unknown.add((name, str(row[name])[:60]))
            for column in self._within:
                name = column.name
                row[name] = self._convert_within(column, record, given)
        except (ValueError, TypeError, AttributeError) as error:
            raise Unfit(name, str(error)) from None
        return row

    @staticmethod
    def _convert_within(column: Column, record: Record, given: Mapping[str, Any]) -> Any:
        key = column.keys[-1]
        value = record.get(key)
        if value is not None and column.within is not None:
            value = column.within(value, given)
        if value is None and column.required:
            raise ValueError("null" if key in record else "missing")
        return value

    def key_of(self, record: Any, given: Mapping[str, Any]) -> str | None:
        """Return the record's ids joined with '/', or None when it has no usable key."""
        parts = []
        for name in self._keys:
            value: Any = given.get(name)
            if value is None and name in self._key_columns:
                column = self._key_columns[name]
                value = record
                for key in column.keys:
                    value = value.get(key) if type(value) is dict else None
                try:
                    value = None if value is None else (column.convert or CONVERTERS[column.type])(value)
                except (ValueError, TypeError):
                    value = None
            if value is None or value == "":
                return None
            parts.append(str(value))
        return "/".join(parts)

    def _check_shape(self, records: list[Any], page: TypedPage, where: str) -> None:
        absent = [column for column in self._columns if column.sent and not self._has(records[0], column)]
        for column in absent:
            # One record without its key is a bad record; all of several are a new shape.
            alone = len(records) == 1 and column.required
            if not alone and not any(self._has(record, column) for record in records[1:]):
                raise ShapeChanged(
                    f"{where}field {'.'.join(column.keys)} is missing in every record of an answer: "
                    "the provider changed its shape; nothing of this answer was taken, "
                    "read the provider's release notes and update the tap"
                )
        if len(records) >= HALF_OF_AT_LEAST:
            counts: dict[str, int] = {}
            for reject in page.rejects:
                counts[reject.field] = counts.get(reject.field, 0) + 1
            for name, count in counts.items():
                if 2 * count >= len(records):
                    reason = next(reject.reason for reject in page.rejects if reject.field == name)
                    raise ShapeChanged(
                        f"{where}field {name} cannot be read in {count} of {len(records)} records of an answer "
                        f"({reason.partition(', got')[0]}): the provider changed its type; nothing of this "
                        "answer was taken, read the provider's release notes and update the tap"
                    )

    @staticmethod
    def _has(record: Any, column: Column) -> bool:
        if type(record) is not dict:
            # A record that is no object says nothing about fields; it is rejected as a whole.
            return True
        *parents, last = column.keys
        for parent in parents:
            if parent not in record:
                return False
            record = record[parent]
            if type(record) is not dict:
                return True
        return last in record


def _joined_keys(parts: Sequence[list[Any]]) -> list[str]:
    """Return the ids of each row as texts, joined with '/'."""
    texts = [part if lists.are_texts(part) else list(map(str, part)) for part in parts]
    return texts[0] if len(texts) == 1 else list(map("/".join, zip(*texts, strict=True)))


def _inside(records: Sequence[Any], parents: tuple[str, ...]) -> Sequence[Any]:
    """Return the objects at a place of each record; raise ValueError where one is something else."""
    for parent in parents:
        records = [{} if (inside := record.get(parent)) is None else inside for record in records]
        if set(map(type, records)) != {dict}:
            raise ValueError(parent)
    return records


def _values(sources: Sequence[Any], keys: list[str]) -> list[Sequence[Any]]:
    """Return the values of several keys, each key's together; what is missing is None."""
    if len(keys) > 1:
        try:
            # In one call for all keys of a record.
            return list(zip(*map(itemgetter(*keys), sources), strict=True))
        except KeyError:
            pass
    return [[source.get(key) for source in sources] for key in keys]


def _converted(values: Sequence[Any], convert: Convert) -> list[Any]:
    """Return converted values; one that comes often is converted once."""
    kinds = set(map(type, values))
    # Of one type only: 1, 1.0 and True are one key of a dictionary.
    if kinds <= TEXT_OR_NULL:
        different = set(values)
        if 2 * len(different) < len(values):
            table = {value: None if value is None else convert(value) for value in different}
            return [table[value] for value in values]
    return [None if value is None else convert(value) for value in values]


def schema_of(columns: Sequence[Column]) -> dict[str, Any]:
    """Return the JSON schema of a stream: the tenant, its columns, the record as sent, when it was read."""
    properties: dict[str, Any] = {
        "timing_partner_id": {"type": ["integer"], "description": "Whose account was read"},
    }
    properties |= {column.name: column.schema() for column in columns}
    properties["record"] = {"type": ["object", "null"], "description": "The provider's record as sent"}
    properties["read_at"] = {
        "type": ["string"],
        "format": "date-time",
        "description": "When this answer was read, by our clock",
    }
    return {"type": "object", "properties": properties, "required": ["timing_partner_id"]}
