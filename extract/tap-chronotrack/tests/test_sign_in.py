"""The four ways to sign in, and what happens when they fail."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import subprocess
import sys
import time
from contextlib import redirect_stdout

import pytest
from singer_sdk.exceptions import ConfigValidationError
from tap_chronotrack.auth import NEEDS, hashed
from tap_chronotrack.tap import TapChronoTrack
from tap_shared.redaction import redact
from tap_testing.runs import Run

SHA1_OF_ABC = "a9993e364706816aba3e25717850c26c9cd0d89d"


@pytest.mark.parametrize("way", NEEDS)
def test_all_four_ways_read_the_season(season, run, way):
    first = run(auth_method=way)

    assert first.error is None
    assert len(first.rows("events")) == len(season.holds("events"))


@pytest.mark.parametrize("way", NEEDS)
def test_a_way_needs_no_more_than_its_own_settings(season, make_tap, way):
    account = season.account()
    unneeded = {"username", "password", "client_secret", "refresh_token"} - set(NEEDS[way])

    tap = make_tap(auth_method=way, **dict.fromkeys(unneeded))

    assert not unneeded & {name for name in tap.config if tap.config[name]}
    assert Run(tap).error is None
    assert account


def test_a_password_is_hashed_as_the_provider_wants():
    assert hashed("abc") == SHA1_OF_ABC
    assert hashed("pässword") == hashlib.sha1("pässword".encode()).hexdigest()  # noqa: S324


def test_a_password_of_40_hex_digits_is_taken_as_hashed(season, run):
    account = season.account()
    ready = hashlib.sha1(account["password"].encode()).hexdigest().upper()  # noqa: S324

    first = run(password=ready)

    assert first.error is None
    assert hashed(SHA1_OF_ABC) == SHA1_OF_ABC


def test_client_id_goes_with_every_way(season, wire, run):
    for way in NEEDS:
        wire.calls.clear()
        run(auth_method=way, api_url=wire.api_url)
        reading = [query for path, query in wire.calls if "oauth2" not in path]
        assert reading and all(query["client_id"] == season.account()["client_id"] for query in reading)


@pytest.mark.parametrize("way", ["oauth2_password", "oauth2_web"])
def test_a_token_is_got_once_a_run(season, run, way):
    run(auth_method=way)

    assert sum("oauth2/token" in call for call in season.calls()) == 1


@pytest.mark.parametrize("way", ["oauth2_password", "oauth2_web"])
def test_a_token_that_expires_between_pages_is_renewed_and_nothing_is_lost(season, run, way):
    season.fault("expired_token", times=1, path_contains="page=2")
    season.fault("expired_token", times=1, path_contains="/results")

    first = run(auth_method=way, page_size=7)

    assert season.faults_left() == 0
    assert first.error is None
    assert len(first.rows("entries")) == len(season.holds("entries"))
    # Two renewals; two calls in flight that meet one expiry share one.
    assert 2 <= sum("oauth2/token" in call for call in season.calls()) <= 4


@pytest.mark.parametrize(
    ("way", "wrong"),
    [
        ("simple", {"password": "not the password"}),
        ("simple", {"client_id": "ffffffff"}),
        ("basic", {"username": "nobody@nowhere.example"}),
        ("oauth2_password", {"client_secret": "not the secret"}),
        ("oauth2_password", {"password": "not the password"}),
        ("oauth2_web", {"refresh_token": "not the token"}),
    ],
)
def test_refused_credentials_end_the_run_at_once_and_name_the_settings(season, run, way, wrong):
    first = run(auth_method=way, **wrong)

    assert "chronotrack, partner 1, stream events" in first.error
    assert "check settings client_id" in first.error
    assert all(name in first.error for name in NEEDS[way])
    assert "\n" not in first.error
    assert not any(value in first.error for name, value in wrong.items() if name != "client_id")
    assert len(season.calls()) == 1


def test_an_account_without_any_rights_is_told_to_check_its_settings(season, wire, run):
    wire.rules.append(lambda path, q, s, headers, data: (403, headers, {}) if path == "/event" else None)

    for way in ("simple", "oauth2_password"):
        refused = run(auth_method=way, api_url=wire.api_url)

        assert "stream events" in refused.error and "(403)" in refused.error
        assert "check settings client_id" in refused.error
        assert refused.sent == {}


@pytest.mark.parametrize("way", NEEDS)
def test_missing_settings_are_named_before_any_call(season, make_tap, way):
    for name in ("client_id", *NEEDS[way]):
        with pytest.raises(ConfigValidationError) as refused:
            make_tap(auth_method=way, **{name: ""})

        assert any(f"setting {name} is missing" in error for error in refused.value.errors)
        assert any(f"TAP_CHRONOTRACK_{name.upper()}" in error for error in refused.value.errors)
    assert season.calls() == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"auth_method": "kerberos"}, "auth_method"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": 1001}, "page_size"),
        ({"whole_read_minutes": -1}, "whole_read_minutes"),
        ({"calls_per_hour": -1}, "calls_per_hour"),
        ({"timing_partner_id": None}, "timing_partner_id"),
        ({"api_url": "ctlive"}, "api_url"),
    ],
)
def test_wrong_settings_are_named(season, make_tap, settings, told):
    with pytest.raises(ConfigValidationError) as refused:
        make_tap(**settings)

    assert any(f"setting {told}" in error for error in refused.value.errors)


@pytest.mark.parametrize("way", NEEDS)
def test_no_secret_is_ever_written(season, make_tap, caplog, capfd, way):
    account = season.account()
    secrets = [account[name] for name in ("password", "client_secret", "refresh_token", "username")]
    secrets.append(hashed(account["password"]))
    season.fault("status_500", times=9, path_contains="/race")

    with caplog.at_level(logging.DEBUG):
        done = Run(make_tap(auth_method=way, max_tries=2, api_url=account["api_url"]))

    told = capfd.readouterr().err + caplog.text + json.dumps(done.messages) + (done.error or "")
    assert "stream races" in told
    assert not [secret for secret in secrets if secret in told]
    # Nor would it be by a library that logs what it sends.
    assert way != "simple" or redact(hashed(account["password"])) == "***"


def test_settings_of_secrets_are_marked_and_all_are_described():
    properties = TapChronoTrack.config_jsonschema["properties"]

    assert {name for name, kind in properties.items() if kind.get("secret")} == {
        "password",
        "client_secret",
        "refresh_token",
    }
    assert all(kind.get("description") for kind in properties.values())


def test_discovery_and_about_need_no_settings():
    out = io.StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit) as ended:
        TapChronoTrack.cli(["--discover"])
    streams = json.loads(out.getvalue())["streams"]

    assert ended.value.code == 0
    assert [stream["tap_stream_id"] for stream in streams][3:] == [
        "events",
        "races",
        "entries",
        "brackets",
        "intervals",
        "results",
    ]


def test_the_command_reads_its_settings_from_the_environment_and_starts_fast(season, tmp_path):
    account = season.account()
    env = season.environment(budget_dir=tmp_path / "budget")

    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tap_chronotrack", "--config", "ENV"],
        check=False,
        env=env,
        capture_output=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert time.monotonic() - began < 20
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "STATE"
    assert account["password"].encode() not in done.stderr
