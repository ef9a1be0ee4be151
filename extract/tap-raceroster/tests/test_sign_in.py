"""Three ways to sign in, and the envelopes of a token (raceroster.md, sections 2 and 7)."""

from __future__ import annotations

import pytest
import requests
from singer_sdk.exceptions import ConfigValidationError
from tap_raceroster.auth import Token, unwrapped
from tap_shared.errors import CredentialsRefused


@pytest.mark.parametrize("method", ["timer_login", "client_credentials", "api_key"])
def test_each_way_reads_the_same(season, run, method):
    first = run(auth_method=method, results_source="none")

    assert first.error is None
    assert len(first.rows("participants")) == len(season.holds("participants"))


@pytest.mark.parametrize("quirk", ["token_in_array", "token_bare"])
def test_a_token_is_found_in_an_array_and_without_an_envelope(season, run, quirk):
    season.quirks(**{quirk: True})

    assert run(results_source="none").error is None


def test_what_is_no_envelope_is_empty():
    assert unwrapped({"data": []}) == unwrapped([]) == unwrapped({"data": "x"}) == {}


@pytest.fixture
def asking(season):
    """Return a sign-in at the sandbox and the grants that it asked for."""
    account = season.account()
    grants = []

    def get_token(form):
        grants.append(form["grant_type"])
        url = account["api_url"].removesuffix("/v1") + "/oauth/authorize"
        answer = requests.post(url, data=form, timeout=10)
        if answer.status_code != 200:
            raise CredentialsRefused(answer.text)
        return answer.json()

    return Token(account, get_token), grants


def test_a_token_that_ends_is_refreshed_and_after_a_missed_day_the_login_is_used_again(season, asking):
    token, grants = asking
    token.sign({}, {})
    token.renew()
    season.advance(26 * 3600)
    token.sign({}, {})
    token.renew()

    assert grants == ["access_token", "refresh_token", "refresh_token", "access_token"]


def test_an_expired_token_in_the_middle_of_a_run_is_renewed(season, run):
    # Of two events: a call that meets it twice, with a token just made, is denied.
    for title in ("Orchard", "Ropewalk"):
        season.fault("expired_token", times=1, path_contains=f"/{season.event(title)}/participants")

    first = run(results_source="none")

    assert (first.error, season.faults_left()) == (None, 0)
    assert len(first.rows("participants")) == len(season.holds("participants"))


def test_a_wrong_secret_ends_the_run_in_one_line_that_names_the_settings_and_no_secret(season, run):
    first = run(password="wrong-and-secret")

    assert "invalid_grant" in first.error and "password" in first.error
    assert "wrong-and-secret" not in first.error and "\n" not in first.error
    assert first.sent == {}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"password": None}, "password is missing"),
        ({"auth_method": "api_key", "api_key": None}, "api_key is missing"),
        ({"auth_method": "magic"}, "auth_method must be one of"),
        ({"profile": "other"}, "profile must be one of"),
        ({"results_source": "other"}, "results_source must be one of"),
        ({"page_size": 101}, "page_size must be between 1 and 100"),
        ({"overlap_seconds": -1}, "overlap_seconds must not be negative"),
    ],
)
def test_wrong_settings_are_named_before_any_call(season, make_tap, settings, named):
    season.forget_calls()
    with pytest.raises(ConfigValidationError) as caught:
        make_tap(**settings)

    assert any(named in error for error in caught.value.errors)
    assert season.calls() == []


def test_an_event_of_somebody_else_is_told_and_leaves_the_others_alone(season, run, caplog):
    other = season.account(2)["event_ids"].split(",")[0]

    first = run(event_ids=f"{season.account()['event_ids']},{other}", results_source="none")

    assert first.error is None
    assert f"event {other} is not shown to this account" in caplog.text
    assert len(first.rows("events")) == len(season.holds("events"))
