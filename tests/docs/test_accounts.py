"""The README says how to point a connection at an account of each provider, by settings that the taps have."""

from __future__ import annotations

import re

import pytest

from project88.connections import SECRET_SETTINGS
from project88.raw import PROVIDERS, settings_of
from tests.docs.conftest import CHECKOUT

ROWS = {
    row[1]: row[0]
    for row in re.finditer(
        r"^\| \[(\w+)\]\(extract/tap-\1/README\.md\) \|.*$", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.M
    )
}


def test_it_tells_of_all_six():
    assert set(PROVIDERS) <= set(ROWS)
    assert len(ROWS) == 6


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_it_names_are_settings_of_the_tap(provider):
    _, _, secrets, settings, more, _ = ROWS[provider].split("|")
    own = settings_of(provider)

    named = {name for text in (secrets, settings) for name in re.findall(r"`(\w+)", text)}
    # A setting's value stands alone where others of the same setting were named before.
    named -= {"v2_key"}
    assert named <= own
    assert set(re.findall(r"`(\w+)=", more)) <= own
    assert set(re.findall(r"`(\w+)", secrets)) <= SECRET_SETTINGS
    assert not set(re.findall(r"`(\w+)", settings)) & SECRET_SETTINGS
