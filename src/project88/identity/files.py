"""Records from a CSV or Parquet file, and tables to one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from project88.errors import ActionNeeded

PARQUET = (".parquet", ".pq")
CSV = (".csv", ".tsv", ".txt")


def read(path: Path) -> pa.Table:
    """Return a file's rows. Every column of a CSV is text: a bib of 007 and a ZIP of 08057 stay what they are."""
    try:
        if path.suffix.lower() in PARQUET:
            return pq.read_table(path)
        if path.suffix.lower() not in CSV and not path.suffixes[-2:-1] == [".csv"]:
            raise ActionNeeded(
                f"{path}: the linkage reads .csv and .parquet; rename the file, or write it as one of them"
            )
        return _csv(path)
    except FileNotFoundError:
        raise ActionNeeded(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise ActionNeeded(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None


def _csv(path: Path) -> pa.Table:
    compressed = {".gz": "gzip"}.get(path.suffix.lower())
    with pa.input_stream(str(path), compression=compressed or None) as stream:
        head = stream.read(1 << 16)
    if not head.strip():
        raise ActionNeeded(f"{path}: the file is empty; its first line must name the columns")
    first = head.split(b"\n", 1)[0]
    delimiter = max(",;\t|", key=lambda one: first.count(one.encode()))
    names = pa_csv.open_csv(
        pa.BufferReader(first.lstrip(b"\xef\xbb\xbf").rstrip(b"\r") + b"\n"), parse_options=pa_csv.ParseOptions(delimiter=delimiter),
        read_options=pa_csv.ReadOptions(encoding="latin1"),
    ).schema.names  # fmt: skip
    # As bytes: lines of one file may come from programs with different encodings, and `columns` decodes each value.
    return pa_csv.read_csv(
        pa.input_stream(str(path), compression=compressed),
        read_options=pa_csv.ReadOptions(block_size=1 << 24),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types={name: pa.binary() for name in names}, strings_can_be_null=True, null_values=["", "NULL", "\\N"],
        ),
    )  # fmt: skip


def write(table: pa.Table, path: Path) -> None:
    """Write a table where the name says, whole or not at all."""
    made = path.with_name(f".{path.name}.part")
    try:
        if path.suffix.lower() in PARQUET:
            pq.write_table(table, made)
        else:
            pa_csv.write_csv(table, made, pa_csv.WriteOptions(quoting_style="needed"))
        made.replace(path)
    except OSError as error:
        raise ActionNeeded(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        made.unlink(missing_ok=True)
