"""Countries and phone numbers in SQL against the libraries that the seeds are made from."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import phonenumbers
import pycountry
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberFormat
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extras import execute_values

from project88 import db, transform
from tests.conftest import fresh_database
from tests.pipeline.harness import CHECKOUT

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


MACROS = "{{ country_code('as_sent') }}\nAND\n{{ phone_e164('as_sent', 'country') }}"


class Places:
    """Both macros as SQL, and a database with the seeds as dbt loads them."""

    def __init__(self, connection: Connection, dsn: str) -> None:
        self.connection = connection
        for command in (["seed", "--select", "country_codes", "phone_regions"], ["compile", "--inline", MACROS]):
            done = transform.dbt(dsn, "--quiet", *command)
            assert done.returncode == 0, done.stdout[-2000:]
        self.country, self.phone = done.stdout.split("\nAND\n")

    def countries(self, texts: list[str]) -> dict[str, str | None]:
        """Return the code that is read in each text."""
        return dict(zip(texts, self._read(self.country, [(text, None) for text in texts]), strict=True))

    def numbers(self, sent: list[tuple[str, str | None]]) -> list[str | None]:
        """Return the numbers that are read in texts sent from countries."""
        return self._read(self.phone, sent)

    def _read(self, expression: str, sent: list[tuple[str, str | None]]) -> list[str | None]:
        with self.connection as connection, connection.cursor() as cursor:
            cursor.execute("create temporary table sent (n serial, as_sent text, country text) on commit drop")
            execute_values(cursor, "insert into sent (as_sent, country) values %s", sent, page_size=10_000)
            cursor.execute(f"select {expression} from sent order by n")  # noqa: S608
            return [row[0] for row in cursor.fetchall()]


@pytest.fixture(scope="module", params=["embedded_server", "server15"])
def places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """The macros on each server."""
    with fresh_database(request.getfixturevalue(request.param)) as dsn, pytest.MonkeyPatch.context() as patch:
        patch.setenv("P88_HOME", str(tmp_path_factory.mktemp("home")))
        with closing(db.connect(dsn)) as connection:
            yield Places(connection, dsn)


def test_seeds_and_the_table_of_statuses_are_what_the_libraries_and_the_vocabulary_say() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/make_seeds.py", "--check"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_every_country_is_known_by_all_its_iso_codes_and_names(places: Places) -> None:
    wanted = {}
    for country in pycountry.countries:
        for attribute in ("alpha_2", "alpha_3", "numeric", "name", "official_name", "common_name"):
            if name := getattr(country, attribute, None):
                wanted |= {name: country.alpha_2, f"  {name.lower()} ": country.alpha_2}

    assert places.countries(list(wanted)) == wanted


def test_a_country_is_known_by_what_athletes_and_organizers_write(places: Places) -> None:
    wanted = {
        "GER": "DE", "NED": "NL", "SUI": "CH", "RSA": "ZA", "DEN": "DK", "U.S.A.": "US", "uk": "GB", "Scotland": "GB",
        "España": "ES", "ESPANA": "ES", "Alemania": "DE", "Cataluña": None, "BRN": "BN", "Turkey": "TR", "Wales": "GB",
        "XX": None, "ZZZ": None, "": None, "n/a": None, "NA": "NA",
    }  # fmt: skip

    assert places.countries(list(wanted)) == wanted


def test_numbers_are_those_of_libphonenumber(places: Places) -> None:
    sent = [*_examples(), *_random_numbers(12_000)]

    found = places.numbers(sent)

    wanted = [_by_the_library(text, country) for text, country in sent]
    differ = [one for one in zip(sent, found, wanted, strict=True) if one[1] != one[2]]
    # What is left are digits that nobody was given: a prefix over digits that make no number without it in the region,
    # and one with it in the region that shares its code.
    assert len(differ) <= len(sent) / 1000, differ[:20]
    assert sum(number is not None for number in wanted) > 10_000
    # Of numbers as people write them, none.
    assert [one for one in differ if one[0] in set(_examples())] == []


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("609-555-0147", "US", "+16095550147"),
        ("(609) 555 0147", "US", "+16095550147"),
        ("1.609.555.0147 ext. 12", "US", "+16095550147"),
        ("07700 900 147", "GB", "+447700900147"),
        ("+44 (0)7700 900147", "US", "+447700900147"),
        ("0044 7700 900147", "ES", "+447700900147"),
        ("612 34 56 78", "ES", "+34612345678"),
        ("34612345678", "ES", "+34612345678"),
        ("0612345678", "IT", "+390612345678"),
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("+34\u00a0612\u201134\u201156\u201178", None, "+34612345678"),
        ("609-555-0147", None, None),
        ("555-0147", "US", None),
        ("none", "US", None),
        ("", "US", None),
        ("0000000000", "US", None),
        ("609-555-0147", "XX", None),
    ],
)
def test_a_number_as_people_write_it(places: Places, text: str, country: str | None, number: str | None) -> None:
    assert places.numbers([(text, country)]) == [number]


def _by_the_library(text: str, country: str | None) -> str | None:
    """Return the number by libphonenumber, where it has a region's general pattern and length."""
    try:
        read = phonenumbers.parse(text, country, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    digits = phonenumbers.national_significant_number(read)
    regions = {phonenumbers.region_code_for_country_code(read.country_code)}
    if country and read.country_code_source == phonenumbers.CountryCodeSource.FROM_DEFAULT_COUNTRY:
        regions.add(country)
    for region in regions & set(REGIONS):
        general = PhoneMetadata.metadata_for_region(region).general_desc
        if len(digits) in general.possible_length and re.fullmatch(general.national_number_pattern, digits):
            return phonenumbers.format_number(read, PhoneNumberFormat.E164)
    return None


def _examples() -> list[tuple[str, str]]:
    """Return the library's example numbers of every region and kind, in the forms in which people write them."""
    found = []
    for region in REGIONS:
        for kind in phonenumbers.PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            # Some of Canada's are for use inside a town only: no pattern of the shared code has them.
            possible = phonenumbers.ValidationResult.IS_POSSIBLE
            if number is None or phonenumbers.is_possible_number_with_reason(number) != possible:
                continue
            forms = [phonenumbers.format_number(number, form) for form in (0, 1, 2)]
            forms += [phonenumbers.format_out_of_country_calling_number(number, region)]
            forms += [phonenumbers.national_significant_number(number), forms[2] + " ext. 12", forms[2] + " x12"]
            found += [(form, region) for form in forms]
            for other in ("US", "GB"):
                found.append((phonenumbers.format_out_of_country_calling_number(number, other), other))
    return found


def _random_numbers(count: int) -> list[tuple[str, str]]:
    draw = random.Random(88)
    found = []
    for _ in range(count):
        digits = "".join(draw.choice("0123456789") for _ in range(draw.randint(4, 13)))
        found.append((draw.choice(["", "", "", "+", "0", "1", "00", "(0) ", "+1 "]) + digits, draw.choice(REGIONS)))
    return found
