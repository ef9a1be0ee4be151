"""Both ways to sign in, the caller's registration, and errors that come as success."""

from __future__ import annotations

import json

import pytest
from account import error, event, race
from singer_sdk.exceptions import ConfigValidationError
from tap_runsignup.tap import TapRunSignUp

GIVEN = {"timing_partner_id": 1, "api_key": "the-key", "api_secret": "the-secret"}


@pytest.fixture
def signed(quick):
    def signed(**settings):
        tap = TapRunSignUp(config=GIVEN | quick | settings)
        query, headers = {}, {}
        tap.client.sign(query, headers)
        tap.close()
        return query, headers

    return signed


def test_a_key_pair_travels_in_the_query(signed):
    assert signed() == ({"format": "json", "api_key": "the-key", "api_secret": "the-secret"}, {})


def test_a_version_2_key_travels_in_query_and_header(signed):
    assert signed(auth_style="v2_key") == (
        {"format": "json", "rsu_api_key": "the-key"},
        {"X-RSU-API-SECRET": "the-secret"},
    )


def test_the_registration_of_the_caller_is_sent_beside_either(signed):
    query, headers = signed(api_reg="the-token", api_reg_secret="the-reg-secret")

    assert query["rsu_api_reg"] == "the-token"
    assert headers == {"X-RSU-API-REG-SECRET": "the-reg-secret"}


def test_every_call_asks_for_json(account, read):
    account.races = [race(1, event(11))]

    read()

    assert {query["format"] for _, query in account.calls} == {"json"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param({"api_key": ""}, "setting api_key is missing", id="no key"),
        pytest.param({"api_secret": None}, "setting api_secret is missing", id="no secret"),
        pytest.param({"auth_style": "oauth"}, "setting auth_style must be key or v2_key", id="another way"),
        pytest.param({"api_reg": "x"}, "setting api_reg_secret is missing", id="half a registration"),
        pytest.param({"api_reg_secret": "x"}, "setting api_reg is missing", id="the other half"),
        pytest.param({"overlap_seconds": -1}, "setting overlap_seconds must not be negative", id="overlap"),
        pytest.param({"page_size": 5000}, "setting page_size must be from 1 to 2500", id="page"),
        pytest.param({"timing_partner_id": -4}, "setting timing_partner_id must be positive", id="partner"),
    ],
)
def test_a_wrong_setting_is_named(settings, told):
    with pytest.raises(ConfigValidationError) as caught:
        TapRunSignUp(config=GIVEN | settings)

    assert any(told in line for line in caught.value.errors)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(error(6), id="key authentication failed"),
        pytest.param(error(7), id="permission denied"),
        pytest.param({"error": "Authentication failed for this API key"}, id="as a plain string"),
        pytest.param((401, b"{}"), id="401"),
        pytest.param((403, json.dumps(error(7)).encode()), id="403"),
    ],
)
def test_refused_credentials_end_the_run_at_once_and_name_the_settings(account, read, body):
    account.twist = lambda path, query, _: body

    done = read()

    assert len(account.calls) == 1
    assert "check settings api_key, api_secret, auth_style" in done.error
    assert "runsignup, partner 1, stream races: GET" in done.error
    assert "a-secret" not in done.error
    assert "a-key" not in done.error


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(error(14), id="code 14"),
        pytest.param((429, json.dumps(error(14)).encode()), id="429 with code 14"),
        pytest.param({"error": {"error_code": "14", "error_msg": "Throttled"}}, id="the code as text"),
        pytest.param({"error": "Request throttled."}, id="as a plain string"),
        pytest.param(error(4), id="unknown"),
        pytest.param(error(5), id="database"),
    ],
)
def test_errors_that_pass_are_waited_out(account, read, body):
    account.races = [race(1, event(11))]
    left = [body, body]
    account.twist = lambda path, query, answer: left.pop() if left else answer

    done = read()

    assert done.error is None
    assert len(done.rows("races")) == 1


def test_another_error_is_told_with_its_code(account, read):
    account.twist = lambda path, query, _: error(3)

    assert "error 3 'Message 3.': https://runsignup.com/Api/ErrorCodes says" in read().error


def test_an_answer_that_is_not_data_stops_the_stream(account, read):
    account.twist = lambda path, query, _: {"something": "else"}

    assert "the answer holds no list of races" in read().error
