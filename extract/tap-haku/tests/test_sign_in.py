"""The two ways to sign in, and what happens when they fail."""

from __future__ import annotations

import io
import json
import logging
from contextlib import redirect_stdout

import pytest
from singer_sdk.exceptions import ConfigValidationError
from tap_haku.tap import TapHaku
from tap_shared.redaction import redact
from tap_testing.runs import Run

# The sandbox gives Harbour Timing the observed way, and Summit Timing the project's own.
WAYS = {1: "token", 2: "api_key"}


@pytest.mark.parametrize("partner", WAYS)
def test_both_ways_read_the_season(season, run, partner):
    first = run(partner=partner)

    assert season.account(partner)["auth_method"] == WAYS[partner]
    assert first.error is None
    assert len(first.rows("registrations")) == len(season.holds("registrations", partner)) > 0


def test_the_token_goes_bare_and_the_key_after_the_word_bearer(season, make_tap):
    signed = {}
    for partner in WAYS:
        headers: dict[str, str] = {}
        make_tap(partner=partner).client.sign({}, headers)
        signed[partner] = headers

    account = season.account(2)
    assert set(signed[1]) == {"Authorization"}
    assert " " not in signed[1]["Authorization"]
    assert signed[2] == {"Authorization": f"Bearer {account['api_key']}", "X-API-Secret": account["api_secret"]}


def test_a_token_is_got_once_a_run_and_before_it_ends(season, run, make_tap):
    run()
    assert sum("oauth2/token" in call for call in season.calls()) == 1

    tap = make_tap()
    tap.client.get("events")
    tap.client._sign_in._ends = 0.0
    tap.client.get("events")
    assert sum("oauth2/token" in call for call in season.calls()) == 3


@pytest.mark.parametrize("path", ["/participants", "/registrations/"])
def test_a_token_that_expires_on_the_way_is_renewed_and_nothing_is_lost(season, run, path):
    season.fault("expired_token", times=1, path_contains=path)

    first = run()

    assert first.error is None
    assert season.faults_left() == 0
    assert len(first.rows("registrations")) == len(season.holds("registrations"))


@pytest.mark.parametrize(
    ("partner", "settings", "named"),
    [
        (1, {"client_secret": "a guess"}, "settings client_id, client_secret"),
        (1, {"client_id": "nobody"}, "settings client_id, client_secret"),
        (2, {"api_secret": "a guess"}, "settings api_key, api_secret"),
    ],
)
def test_wrong_credentials_end_the_run_with_the_settings_to_check(season, run, partner, settings, named):
    first = run(partner=partner, **settings)

    assert f"check {named}" in first.error
    assert first.sent == {}
    # What never worked is not tried for each stream.
    assert len(season.calls()) <= 2


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"client_secret": None}, "setting client_secret is missing"),
        ({"auth_method": "api_key"}, "setting api_key is missing"),
        ({"auth_method": "magic"}, "setting auth_method must be one of token, api_key"),
        ({"timezone": "Mars/Olympus"}, "setting timezone must be an IANA name"),
        ({"token_url": "ftp://x"}, "setting token_url must begin with"),
        ({"page_size": 0}, "setting page_size must be positive"),
        ({"calls_for_lists": -1}, "setting calls_for_lists must not be negative"),
    ],
)
def test_wrong_settings_are_named_before_any_call(season, make_tap, settings, told):
    with pytest.raises(ConfigValidationError) as caught:
        make_tap(**settings)

    assert any(told in line for line in caught.value.errors)
    assert season.calls() == []


@pytest.mark.parametrize("partner", WAYS)
def test_no_secret_is_in_messages_state_or_log(season, make_tap, partner):
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    out = io.StringIO()
    season.fault("status_500", times=None, path_contains="/registrations/")
    try:
        tap: TapHaku = make_tap(partner=partner, max_tries=2)
        headers: dict[str, str] = {}
        tap.client.sign({}, headers)
        with redirect_stdout(out), pytest.raises(Exception, match="registrations"):
            tap.sync_all()
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(level)

    account = season.account(partner)
    secrets = [account[name] for name in TapHaku.secret_settings() if account.get(name)]
    secrets += [headers["Authorization"].removeprefix("Bearer ")]
    said = out.getvalue() + redact(heard.getvalue()) + json.dumps(Run.of(out.getvalue()).state)
    assert len(secrets) >= 2
    assert not [secret for secret in secrets if secret in said]
