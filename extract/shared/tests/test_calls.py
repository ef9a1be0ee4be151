"""Calls that go wrong: survived where another try helps, else told in one line without secrets."""

from __future__ import annotations

import gzip
import logging
import time
import traceback
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pytest
from tap_shared.errors import TapFailed
from tap_shared.http import _Session, parse_json
from tap_shared.redaction import redact, safe_url
from toy import SECRET, says

GOOD = b'[{"id": 1, "name": "a", "weight": 1, "colour": "red"}]'


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(says(429, b"slow down"), id="429"),
        pytest.param(says(429, b"", Retry_After="0"), id="429 with seconds"),
        pytest.param(says(429, b"", Retry_After="Mon, 05 May 2025 10:00:00 GMT"), id="429 with a date"),
        pytest.param(says(500, b"oops"), id="500"),
        pytest.param(says(502, b"<html>bad gateway</html>"), id="502 with HTML"),
        pytest.param(says(522), id="522 of a CDN"),
        pytest.param(says(200, b"<html>maintenance</html>"), id="200 with HTML"),
        pytest.param(says(200, GOOD[:20]), id="half of the JSON"),
        pytest.param(says(200, b""), id="nothing"),
        pytest.param(says(200, GOOD, Content_Length="999"), id="a body cut off"),
        pytest.param(says(0), id="a dropped connection"),
    ],
)
def test_trouble_that_passes_is_survived_without_loss(run, provider, trouble):
    provider.queue += [trouble, trouble]

    done = run()

    assert done.error is None
    assert [row["id"] for row in done.rows("things")] == [1, 2, 3]


def test_trouble_that_stays_is_told_in_one_line(run, provider):
    provider.queue += [says(500)] * 6

    done = run(max_tries=3)

    assert isinstance(done.failure, TapFailed)
    line = done.error
    assert "\n" not in line
    for part in (
        "toy, partner 7, stream things",
        f"GET {provider.url}/things/1?page=1",
        "the provider failed (500), 3 times",
        "run again later",
    ):
        assert part in line
    # Each try was a call.
    assert len(done.rows("reads")) == 2


def test_a_hanging_provider_is_given_up(run, provider):
    provider.queue += [lambda *_: (time.sleep(0.6), says(200, GOOD)("", {}, {}))[1]] * 8

    done = run(request_timeout=0.2, max_tries=2)

    assert "no answer within 0.2 s, 2 times" in done.error


def test_a_long_pause_is_left_to_the_next_run(run, provider):
    provider.queue.append(says(429, b"", Retry_After="3600"))

    began = time.monotonic()
    done = run()

    assert time.monotonic() - began < 10
    assert "it asks to wait 3600 s: run again after that" in done.error


def test_wrong_credentials_fail_at_once_and_for_all_streams(run, provider):
    done = run(secret="another secret")

    assert "not signed in (401): check setting secret" in done.error
    # The first stream asked for two places ahead; nobody tried again.
    assert len(provider.calls) <= 2


def test_a_refusal_after_calls_that_worked_stops_one_stream(run, provider):
    answer, left = provider.answer, ["once"]

    def refuse_the_second_place_once(path, query, headers):
        if path.endswith("/2") and left:
            left.pop()
            return 200, {}, b'{"error": "denied"}'
        return answer(path, query, headers)

    provider.answer = refuse_the_second_place_once

    done = run()

    assert "permission denied: check setting secret" in done.error
    assert [row["id"] for row in done.rows("others")] == [1, 2, 3]


def test_a_redirect_is_not_followed_since_it_would_carry_the_secrets(run, provider):
    provider.queue.append(says(302, b"", Location=f"{provider.url}/elsewhere"))

    done = run()

    assert "a redirect (302) was not followed: check setting api_url" in done.error
    assert not any(path == "/elsewhere" for path, _ in provider.calls)


def test_the_hours_calls_end_the_run_with_the_time_to_go_on(run, provider):
    done = run(calls_per_hour=3, budget_max_wait=0)

    assert len(provider.calls) == 3
    assert "the 3 calls an hour of this credential are used up: go on at" in done.error
    assert [row["id"] for row in done.rows("things")] == [1, 2, 3]
    # What was read is in the state: the next hour goes on from there.
    assert len(done.state["bookmarks"]["things"]["partitions"]) == 2


def test_never_more_than_two_calls_at_once(run, provider, monkeypatch):
    from toy import Things

    monkeypatch.setattr(Things, "places", tuple(range(1, 9)))
    provider.things = {str(place): [] for place in range(1, 9)}
    answer = provider.answer
    monkeypatch.setattr(provider, "answer", lambda *asked: (time.sleep(0.02), answer(*asked))[1])

    run()

    assert provider.most_in_flight == 2


@pytest.mark.parametrize(
    "trouble",
    [says(401), says(500), says(0), says(302, b"", Location="http://x"), says(200, b"{")],
    ids=["401", "500", "dropped", "redirect", "half of the JSON"],
)
def test_no_secret_reaches_logs_errors_or_tracebacks(run, provider, caplog, trouble):
    provider.queue += [trouble] * 12
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        with caplog.at_level(logging.DEBUG):
            done = run(max_tries=2)
    finally:
        logging.getLogger().setLevel(logging.WARNING)

    told = caplog.text + str(done.messages)
    error: BaseException | None = done.failure
    while error is not None:
        told += "".join(traceback.format_exception(error)) + repr(error.args)
        error = error.__cause__ or error.__context__
    for form in (SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET)):
        assert form not in told


def test_a_log_line_of_another_library_is_cleaned():
    redact.conceal([SECRET])
    record = logging.LogRecord("x", logging.INFO, "f", 1, "GET /a?k=%s", (quote(SECRET, safe=""),), None)

    redact.filter(record)

    assert record.getMessage() == "GET /a?k=***"


def test_an_address_for_people_has_no_secret_parameter():
    assert safe_url("http://x/a", {"key": "abc", "page": 2}, ["key"]) == "http://x/a?page=2"


def test_a_body_is_made_storable():
    nul = b'{"a": "x\\u0000y", "b": "x\\\\u0000y", "c": {"d": ["\\u0000"]}}'

    assert parse_json(nul) == {"a": "x\ufffdy", "b": "x\\u0000y", "c": {"d": ["\ufffd"]}}
    assert parse_json(b'{"a": NaN, "b": "\\ud800"}') == {"a": None, "b": "\ufffd"}
    with pytest.raises(ValueError):
        parse_json(b"<html>")


def test_the_date_of_a_retry_is_read_against_the_providers_clock(make_tap):
    tap = make_tap()
    tap.clock = lambda: datetime(2030, 1, 1, tzinfo=UTC)
    headers = {"Retry-After": "Mon, 05 May 2025 10:00:07 GMT", "Date": "Mon, 05 May 2025 10:00:00 GMT"}

    assert tap.client.retry_after(headers) == 7.0
    tap.close()


def test_a_proxy_of_the_environment_is_asked_of_once_for_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    session = _Session()

    def proxies(url: str) -> dict[str, str]:
        return dict(session.merge_environment_settings(url, {}, None, None, None)["proxies"])

    assert proxies("https://outside.example/a") == {"https": "http://proxy.example:3128"} | proxies(
        "https://outside.example/a"
    )
    assert "https" not in proxies("https://inside.example/a")
    monkeypatch.delenv("HTTPS_PROXY")
    assert proxies("https://outside.example/b")["https"] == "http://proxy.example:3128"


def test_a_proxy_gets_the_whole_address_unless_it_passes_tls_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("HTTP", "HTTPS"):
        monkeypatch.setenv(f"{scheme}_PROXY", "http://me:word@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    session = _Session()

    plain, begin = session.way_to("http", "outside.example")
    secure, begin_secure = session.way_to("https", "outside.example:444")

    assert (str(plain.proxy), begin) == ("http://me:word@proxy.example:3128", "http://outside.example")
    assert plain.proxy_headers["Proxy-Authorization"].startswith("Basic ")
    assert (secure.host, secure.port, begin_secure) == ("outside.example", 444, "")
    assert secure.cert_reqs == "CERT_REQUIRED"
    assert session.way_to("http", "inside.example")[0].proxy is None


def test_an_answer_that_is_compressed_without_a_word_is_read():
    packed = gzip.compress(GOOD)

    assert parse_json(packed) == parse_json(GOOD)
    with pytest.raises(ValueError, match="cut off"):
        parse_json(packed[:-9])
