"""The README's examples work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import requests

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
CURLS = re.findall(r"^curl .*$", README, flags=re.MULTILINE)


@pytest.mark.parametrize("line", CURLS)
def test_an_example_of_the_readme_works(box: Any, line: str) -> None:
    words = shlex.split(line.replace("$SANDBOX", box.url))
    url = next(word for word in words if word.startswith("http"))
    given = {flag: words[words.index(flag) + 1] for flag in ("-d", "-X", "-u") if flag in words}
    user, _, password = given.get("-u", "").partition(":")

    answer = requests.request(
        given.get("-X", "POST" if "-d" in given else "GET"),
        url,
        data=given.get("-d"),
        auth=(user, password) if user else None,
        timeout=10,
    )

    assert answer.status_code == 200
    assert "error" not in answer.json()


def test_the_readme_names_every_kind_of_change_and_fault() -> None:
    from sandbox.faults import KINDS as FAULTS
    from sandbox.providers import PROVIDERS
    from sandbox.providers.common import CHANGES

    own = [kind for each in PROVIDERS.values() for kind in (*each.own_faults, *each.own_changes)]
    assert all(f"`{kind}`" in README for kind in (*CHANGES, *FAULTS, *own))
