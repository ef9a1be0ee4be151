"""Makes the seeds of countries and of phone numbers from libraries that others keep: nothing in them is by hand.

    .venv/bin/python scripts/make_seeds.py            writes transform/seeds/{country_codes,phone_regions}.csv,
                                                      and the table of statuses in docs/words.md from its seed
    .venv/bin/python scripts/make_seeds.py --check    says what would change, and fails where anything would

Run it when a new version of one of the libraries is in the lock. country_codes is by pycountry (ISO 3166: alpha-2,
alpha-3, numbers, names), country-converter (the codes of the International Olympic Committee) and Babel (the names of
countries in the languages of our providers' customers, by Unicode's CLDR); phone_regions is by phonenumbers (Google's
libphonenumber).
"""

from __future__ import annotations

import csv
import importlib.resources
import io
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import babel
import phonenumbers
import pycountry
import regex
from phonenumbers import PhoneMetadata

CHECKOUT = Path(__file__).resolve().parents[1]
SEEDS, WORDS = CHECKOUT / "transform" / "seeds", CHECKOUT / "docs" / "words.md"
LANGUAGES = ("en", "es", "ca", "eu", "gl", "fr", "pt", "it", "de", "nl")
"""Of names. Race software writes a country in the organizer's language; the first one whose name it is has it."""

Row = dict[str, str]


# countries


def country_codes() -> list[Row]:
    """Return what countries are called, in capitals, each with its ISO 3166 alpha-2 code.

    A text that two sources give to two countries belongs to the first: BRN is Brunei by ISO and Bahrain by the Olympic
    Committee, and means Brunei here.
    """
    found: dict[str, Row] = {}
    for kind, text, country in _names_of_countries():
        for name in (text, _without_marks(text)):
            written = " ".join(name.replace(".", "").upper().split())
            if written:
                row = {"country_as_written": written, "country_alpha_2": country, "written_as": kind}
                found.setdefault(written, row)
    return sorted(
        found.values(),
        key=lambda row: tuple(row[part] for part in ("country_alpha_2", "written_as", "country_as_written")),
    )


def _names_of_countries() -> Iterator[tuple[str, str, str]]:
    """Return kinds of names, names and alpha-2 codes; what stands first is right where two contradict each other."""
    countries = sorted(pycountry.countries, key=lambda country: str(country.alpha_2))
    codes = [str(country.alpha_2) for country in countries]
    for attribute in ("alpha_2", "alpha_3", "numeric"):
        yield from ((attribute, getattr(country, attribute), country.alpha_2) for country in countries)
    yield from (("ioc", code, country) for code, country in _olympic_codes() if country in codes)
    for attribute in ("name", "common_name", "official_name"):
        yield from (("name", getattr(country, attribute, ""), country.alpha_2) for country in countries)
    # England and its neighbours enter as nations of their own; ISO has them as parts of the United Kingdom.
    for part in pycountry.subdivisions.get(country_code="GB"):
        if part.code in {"GB-ENG", "GB-NIR", "GB-SCT", "GB-WLS"}:
            yield "part", part.name.split(" [")[0], "GB"
    for language in LANGUAGES:
        territories = babel.Locale.parse(language).territories
        yield from ((f"name_{language}", territories.get(code, ""), code) for code in codes)
    # Reserved in ISO 3166-1 at the request of the United Kingdom, and in wide use.
    yield "reserved", "UK", "GB"
    # The English name until 2022; forms go on offering it.
    yield "former", "Turkey", "TR"


def _olympic_codes() -> Iterator[tuple[str, str]]:
    """Return codes of the International Olympic Committee with alpha-2 codes."""
    table = importlib.resources.files("country_converter") / "country_data.tsv"
    for row in csv.DictReader(io.StringIO(table.read_text(encoding="utf-8")), delimiter="\t"):
        if row["IOC"] and row["ISO2"]:
            yield row["IOC"], row["ISO2"]


def _without_marks(text: str) -> str:
    """Return a name as somebody types it on a keyboard without its accents."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


# phone numbers


def phone_regions() -> list[Row]:
    """Return how numbers are dialled in each region, as libphonenumber's metadata says.

    Patterns are in a form that Postgres reads. `as_dialled` is the shortcut for nearly all numbers: what matches is the
    national number, with or without `inland_digits` before it.
    """
    return [_phone_region(region) for region in sorted(phonenumbers.SUPPORTED_REGIONS)]


def _phone_region(region: str) -> Row:
    metadata = PhoneMetadata.metadata_for_region(region)
    general = metadata.general_desc
    number = _number_pattern(general.national_number_pattern, sorted(general.possible_length))
    inland, abroad = metadata.national_prefix_for_parsing or "", metadata.international_prefix or ""
    inland_digits = _inland_digits(number, inland)
    return {
        "region": region,
        "calling_code": str(metadata.country_code),
        "main_region": phonenumbers.region_code_for_country_code(metadata.country_code),
        "as_dialled": _for_postgres(_as_dialled(number, inland_digits, inland, abroad)),
        "inland_digits": inland_digits,
        "number_pattern": _for_postgres(f"^{number}$"),
        "longest": str(max(general.possible_length)),
        "prefix_abroad": _for_postgres(f"^(?:{abroad})(?=[1-9])") if abroad else "",
        "prefix_inland": _for_postgres(f"^(?:{inland})") if inland else "",
        "prefix_becomes": re.sub(r"[$\\](\d)", r"\\\1", metadata.national_prefix_transform_rule or ""),
    }


def _number_pattern(pattern: str, lengths: list[int]) -> str:
    """Return the pattern of a national number of a possible length; looks ahead only where it must."""
    kept = []
    for part in _alternatives(pattern):
        shortest, longest = (int(width) for width in re._parser.parse(part).getwidth())  # type: ignore[attr-defined]
        widths = set(range(shortest, longest + 1))
        if widths <= set(lengths):
            kept.append(part)
        elif allowed := sorted(widths & set(lengths)):
            kept.append(f"(?={'|'.join(f'.{{{length}}}$' for length in allowed)})(?:{part})")
    return f"(?:{'|'.join(kept)})"


def _inland_digits(number: str, inland: str) -> str:
    """Return the digits dialled inland before a number; empty where there are none, or where a number may begin so."""
    return next((part for part in _alternatives(inland) if part.isdigit() and not _may_begin(part, number)), "")


def _as_dialled(number: str, inland_digits: str, inland: str, abroad: str) -> str:
    """Return the pattern of a number with or without its inland digits.

    What another prefix could begin as well is shut out: it is read step by step.
    """
    dialled = f"(?:{inland_digits})?{number}" if inland_digits else number
    others = [part for part in (*_alternatives(inland), abroad) if part and part != inland_digits]
    shut_out = "|".join(f"(?:{part})" for part in others if _may_begin(part, dialled))
    return f"^{f'(?!{shut_out})' if shut_out else ''}{dialled}$"


def _may_begin(prefix: str, number: str) -> bool:
    """Return whether a number may begin as a prefix does: whether they share their first two digits."""
    return any(
        regex.fullmatch(number, two, partial=True) and regex.match(prefix, two, partial=True)
        for two in (f"{n:02}" for n in range(100))
    )


def _alternatives(pattern: str) -> list[str]:
    """Return what stands between the strokes of a pattern, those in brackets apart."""
    parts, depth = [""], 0
    for sign in re.findall(r"\\.|\[[^]]*\]|.", pattern):
        depth += (sign == "(") - (sign == ")")
        if sign == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _for_postgres(pattern: str) -> str:
    r"""Return the pattern with the ten digits for \d, which Postgres may take for the digits of all scripts."""
    return re.sub(r"\[[^]]*\]|\\d", lambda found: _digits(found.group()), pattern)


def _digits(found: str) -> str:
    return "[0-9]" if found == r"\d" else found.replace(r"\d", "0-9")


# files


def write(rows: list[Row]) -> str:
    """Return the text of a seed."""
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def with_statuses(text: str) -> str:
    """Return the text of words.md with the table of the seed status_vocabulary in its place."""
    table = ["| provider | word | entry's status | result's status | means |", "| --- | --- | --- | --- | --- |"]
    with (SEEDS / "status_vocabulary.csv").open(encoding="utf-8") as file:
        table += [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in list(csv.reader(file))[1:]]
    begin, end = "<!-- statuses: written by scripts/make_seeds.py -->\n", "<!-- statuses: end -->"
    before, rest = text.split(begin)
    return before + begin + "\n".join(table) + "\n" + end + rest.split(end)[1]


def main() -> None:
    """Write the files, or with --check say whether they are what would be written."""
    written = {
        SEEDS / "country_codes.csv": write(country_codes()),
        SEEDS / "phone_regions.csv": write(phone_regions()),
        WORDS: with_statuses(WORDS.read_text(encoding="utf-8")),
    }
    differ = []
    for file, text in written.items():
        if "--check" not in sys.argv:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            differ.append(file.name)
    if differ:
        sys.exit(f"{', '.join(differ)}: not what libraries and seeds say; run scripts/make_seeds.py")


if __name__ == "__main__":
    main()
