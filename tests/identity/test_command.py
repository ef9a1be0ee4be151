"""`p88 link`, from a file to a file."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from project88.cli import cli

ENTRIES = 'record_id,name,birth_date,city\n1,Ada Quillfeather,1990-04-07,Beacon\n2,"QUILLFEATHER, Ada",1990-04-07,Beacon\n3,Otto Farrow,1971-01-02,Beacon\n'


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_csv_becomes_persons_and_evidence(tmp_path: Path) -> None:
    (tmp_path / "entries.csv").write_text(ENTRIES, encoding="utf-8")
    persons, links = tmp_path / "persons.csv", tmp_path / "links.csv"

    done = CliRunner().invoke(
        cli, ["link", str(tmp_path / "entries.csv"), "-o", str(persons), "--evidence", str(links)]
    )

    assert done.exit_code == 0, done.output
    assert [(one["record_id"], one["person_id"]) for one in rows(persons)] == [("1", "1"), ("2", "1"), ("3", "3")]
    (link,) = rows(links)
    assert (link["record_id"], link["other_record_id"]) == ("1", "2")
    assert "2 persons" in done.stderr
    assert done.stdout == ""


def test_a_parquet_file_with_other_columns_becomes_parquet(tmp_path: Path) -> None:
    table = pa.table({"nr": [5, 6], "wer": ["Ada Quillfeather"] * 2, "geboren": ["1990-04-07"] * 2})
    pq.write_table(table, tmp_path / "entries.parquet")
    out = tmp_path / "persons.parquet"

    done = CliRunner().invoke(
        cli,
        ["link", str(tmp_path / "entries.parquet"), "-o", str(out), "-q",
         "--column", "record_id=nr", "--column", "full_name=wer", "--column", "birth_date=geboren"],
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert pq.read_table(out).column("person_id").to_pylist() == ["5", "5"]


def test_lines_of_different_encodings_in_one_file(tmp_path: Path) -> None:
    head = b"record_id;first_name;surname;dob\n"
    lines = [f"{n};José;Ibáñez;1990-04-07\n".encode(encoding) for n, encoding in enumerate(("utf-8", "cp1252"))]
    (tmp_path / "entries.csv").write_bytes(b"\xef\xbb\xbf" + head + b"".join(lines))

    done = CliRunner().invoke(cli, ["link", str(tmp_path / "entries.csv"), "-o", str(tmp_path / "persons.csv"), "-q"])

    assert done.exit_code == 0, done.output
    assert [one["person_id"] for one in rows(tmp_path / "persons.csv")] == ["0", "0"]


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text("record_id,name\n7,Ada\n7,Otto\n", encoding="utf-8")
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    out = ["-o", str(tmp_path / "persons.csv"), "-q"]
    for arguments, said in (
        (["nowhere.csv", *out], "nowhere.csv: no such file"),
        ([str(tmp_path / "twice.csv"), *out], "record_id is not unique: 7"),
        ([str(tmp_path / "empty.csv"), *out], "the file is empty"),
        ([str(tmp_path / "twice.csv"), *out, "--column", "city"], "write it as OURS=THEIRS"),
        ([str(tmp_path / "twice.csv"), *out, "--column", "ctiy=x"], "ctiy: not a column the linkage knows"),
        ([str(tmp_path / "twice.csv"), "-o", str(tmp_path / "no" / "persons.csv")], "there is no folder"),
    ):
        done = CliRunner().invoke(cli, ["link", *arguments])

        assert done.exit_code == 1
        assert said in done.stderr
        assert not (tmp_path / "persons.csv").exists()


def test_the_example_in_the_help_works(tmp_path: Path) -> None:
    shown = CliRunner().invoke(cli, ["link", "--help"]).output.partition("Example:")[2].partition("Options:")[0]

    for line in filter(None, map(str.strip, shown.splitlines())):
        command = line.replace("p88 ", f"{sys.executable} -c 'from project88.cli import cli; cli()' ")
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True)

    assert [one["person_id"] for one in rows(tmp_path / "persons.csv")] == ["1", "1"]
    assert len(rows(tmp_path / "links.csv")) == 1


def test_p88_starts_without_the_linkage() -> None:
    code = (
        "import sys, project88.cli; print(*sorted({'duckdb', 'pyarrow', 'scipy', 'ftfy', 'pandas'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == ""
