"""Call a provider: sign, count, retry, and fail in one line without secrets."""

from __future__ import annotations

import gzip
import json
import logging
import re
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

import orjson
import requests
import xxhash
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential
from urllib3.exceptions import (
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
    TimeoutError,
)
from urllib3.util import Timeout

from tap_shared.budget import Budget, BudgetExhausted
from tap_shared.clock import http_date
from tap_shared.errors import CredentialsRefused, Gone, LimitReached, StreamStopped, TapError
from tap_shared.redaction import redact, safe_url

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse
    from urllib3.connectionpool import HTTPConnectionPool

logger = logging.getLogger(__name__)

LONGEST_PAUSE_S = 60.0
# The first bytes of what gzip compressed: no JSON begins like this.
GZIP = b"\x1f\x8b"
# Postgres stores no NUL character, neither in text nor in jsonb. The look-behind spares an escaped backslash.
NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class Verdict(Exception):  # noqa: N818 - a judgement on one answer, turned into an error line by the client
    """What an answer means when it is not data; raised by `inspect`."""

    def __init__(self, reason: str, *, advice: str = "") -> None:
        """Say why, and what to do where that is not obvious."""
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


class Again(Verdict):
    """Try again, after the pause that the provider asks for where it asks."""

    def __init__(self, reason: str, *, wait: float | None = None) -> None:
        """Say why, and how long the provider asks to wait."""
        super().__init__(reason)
        self.wait = wait


class Expired(Verdict):
    """The token is no longer good: get a new one and try again."""


class Denied(Verdict):
    """The credentials are not accepted."""


class Missing(Verdict):
    """The thing asked for is not there."""


class Refused(Verdict):
    """The provider will not answer this call, and would not the next time either."""


@dataclass(slots=True)
class Answer:
    """One answer of a provider."""

    data: Any
    # The provider's clock when it began to answer; None when it did not say.
    provider_clock: datetime | None
    # By our clock, before the call that succeeded.
    asked_at: datetime
    # How many calls it took, tries included.
    calls: int
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    # Of a call for a page that may be known: what its bytes come to.
    digest: bytes | None = None
    # The bytes of an answer that is known, and so not decoded yet: `read` does.
    unread: bytes | None = None

    def read(self) -> Any:
        """Return the data, decoded if that was put off."""
        if self.unread is not None:
            self.data, self.unread = parse_json(self.unread), None
        return self.data


@dataclass(frozen=True, slots=True)
class Known:
    """The pages that a list was made of when it was last read whole."""

    # What an answer's bytes mean depends on what was asked, and on what becomes of it.
    seed: int
    digests: frozenset[bytes]

    def digest(self, content: bytes) -> bytes:
        """Return what stands for an answer's bytes."""
        return xxhash.xxh3_128_digest(content, self.seed)


@dataclass
class Limits:
    """How patient a client is."""

    timeout: float = 60.0
    max_tries: int = 6
    backoff_base: float = 1.0
    # A Retry-After beyond this is left to the next run.
    longest_wait: float = 120.0


def unpacked(content: bytes) -> bytes:
    """Return a body that came compressed without a header saying so; any other as it is."""
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise ValueError("a compressed answer was cut off") from None


def parse_json(content: bytes) -> Any:
    """Return the JSON of a body without what no database can store; raise ValueError when it is none."""
    content = unpacked(content)
    # A single byte is found many times faster than several.
    if b"\\" in content and b"\\u0000" in content:
        content = NUL.sub(rb"\1\\ufffd", content)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    # The lenient way: NaN and Infinity become null, half a surrogate pair the replacement character.
    text = content.decode("utf-8", errors="replace")
    return _storable(json.loads(text, parse_constant=lambda _: None))


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


class _Session(requests.Session):
    """Finds the way to a host once: proxies and certificates as the environment has them.

    Calls then go to urllib3 themselves. What `requests` does for each call besides is most of what a small one costs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, Any] = {}
        self._ways: dict[tuple[str, str], tuple[HTTPConnectionPool, str]] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return what the environment says about a host."""
        host = urlsplit(str(url)).netloc
        if host not in self._asked:
            self._asked[host] = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return dict(self._asked[host])

    def way_to(self, scheme: str, netloc: str) -> tuple[HTTPConnectionPool, str]:
        """Return the connections to a host, and what a path sent over them begins with; raise for no usable address."""
        key = (scheme, netloc)
        if key not in self._ways:
            asked = requests.Request("GET", f"{scheme}://{netloc}/").prepare()
            address = str(asked.url)
            told = self.merge_environment_settings(address, {}, None, None, None)
            adapter = cast("requests.adapters.HTTPAdapter", self.get_adapter(address))
            pool = adapter.get_connection_with_tls_context(asked, told["verify"], told["proxies"], told["cert"])
            adapter.cert_verify(pool, address, told["verify"], told["cert"])
            # A proxy is sent the whole address, unless it passes TLS through.
            begin = adapter.request_url(asked, told["proxies"]).removesuffix("/")
            self._ways[key] = cast("HTTPConnectionPool", pool), begin
        return self._ways[key]

    def ask(
        self, method: str, url: str, query: Mapping[str, Any], form: Mapping[str, Any] | None, timeout: float,
        headers: Mapping[str, str],
    ) -> BaseHTTPResponse:  # fmt: skip
        """Send a call and return the answer, its body not read yet; no redirect is followed, nothing is tried again.

        A redirect would carry the secrets of query and headers to another host.
        """
        parts = urlsplit(url)
        pool, begin = self.way_to(parts.scheme, parts.netloc)
        told = urlencode([(name, value) for name, value in query.items() if value is not None], doseq=True)
        asked = "&".join(text for text in (parts.query, told) if text)
        sent = cast("dict[str, str]", {**self.headers, **headers})
        body = None
        if form is not None:
            body = urlencode([(name, value) for name, value in form.items() if value is not None], doseq=True)
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return pool.urlopen(
            method,
            f"{begin}{parts.path or '/'}{'?' if asked else ''}{asked}",
            body=body,
            headers=sent,
            timeout=Timeout(connect=timeout, read=timeout),
            redirect=False,
            retries=False,
            assert_same_host=False,
            preload_content=False,
        )


class Client:
    """One credential of one provider. A tap derives from it: how to sign, what answers mean."""

    # Shown in every error line.
    provider = ""
    # Query parameters that hold secrets; they are never shown.
    secret_params: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        api_url: str,
        timing_partner_id: int,
        budget: Budget,
        limits: Limits,
        clock: Callable[[], datetime],
        user_agent: str,
    ) -> None:
        """Prepare a session; nothing is called yet."""
        self.api_url = api_url.rstrip("/")
        self.timing_partner_id = timing_partner_id
        self.budget = budget
        self.limits = limits
        self.clock = clock
        self.calls_made = 0
        # True once any call was accepted: credentials that worked are not the first suspect.
        self.accepted = False
        self.provider_now: datetime | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._session = _Session()
        self._session.headers.update({"User-Agent": user_agent, "Accept": "application/json"})

    # --- what a provider defines -------------------------------------------------------------------

    def credential_settings(self) -> tuple[str, ...]:
        """Return the names of the settings to check when the provider refuses us."""
        return ()

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the credentials to a call."""

    def renew(self) -> bool:
        """Get a new token after the old one expired; False when there is no way to."""
        return False

    def inspect(self, status: int, data: Any, headers: Mapping[str, str]) -> None:
        """Raise a Verdict where the answer is not data; called with data None when it was no JSON."""

    # --- calling -----------------------------------------------------------------------------------

    def get(
        self, path: str, params: Mapping[str, Any] | None = None, *, stream: str = "", known: Known | None = None
    ) -> Answer:
        """Return the answer to a GET, after as many tries as it takes and is allowed.

        With `known` the answer has a digest, and one whose digest is among them is not decoded.
        """
        return self.call("GET", path, params=params, stream=stream, known=known)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        stream: str = "",
        signed: bool = True,
        headers: Mapping[str, str] | None = None,
        known: Known | None = None,
    ) -> Answer:
        """Return the answer to a call; raise a TapError whose text is the whole story otherwise."""
        url = path if path.startswith("http") else f"{self.api_url}/{path.lstrip('/')}"
        shown = f"{method} {safe_url(url, params or {}, self.secret_params)}"
        calls = 0
        renewed = False

        def attempt() -> Answer:
            nonlocal calls, renewed
            query, head = dict(params or {}), dict(headers or {})
            if signed:
                self.sign(query, head)
            calls += 1
            try:
                return self._once(method, url, query, form, head, calls, shown, known)
            except Expired as expired:
                if renewed or not signed:
                    raise Denied(expired.reason) from None
                renewed = True
                if not self.renew():
                    raise Denied(expired.reason) from None
                # At once: the call itself was not at fault.
                raise Again(expired.reason, wait=0.0) from None

        retrying = Retrying(
            stop=self._enough,
            wait=self._pause,
            retry=retry_if_exception_type(Again),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except Verdict as verdict:
            error = self._error(verdict, shown, stream, calls)
            error.calls = calls
            raise error from None
        except BudgetExhausted as exhausted:
            raise LimitReached(f"{self.where(stream)}: {shown}: {exhausted}") from None

    def _enough(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Again) and (error.wait or 0) > self.limits.longest_wait:
            return True
        return self._closing.is_set() or stop_after_attempt(self.limits.max_tries)(state)

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        # Full jitter: anything from none to the whole pause, so that many taps do not come back together.
        jitter = wait_random_exponential(multiplier=self.limits.backoff_base, max=LONGEST_PAUSE_S)(state)
        if isinstance(error, Again) and error.wait is not None:
            return error.wait and error.wait + min(jitter, 1.0)
        return jitter

    def _sleep(self, seconds: float) -> None:
        self._closing.wait(seconds)

    def _once(
        self,
        method: str,
        url: str,
        query: dict[str, Any],
        form: Mapping[str, Any] | None,
        head: dict[str, str],
        calls: int,
        shown: str,
        known: Known | None,
    ) -> Answer:
        with self.budget.call():
            with self._lock:
                self.calls_made += 1
            asked_at = self.clock()
            response = None
            try:
                response = self._session.ask(method, url, query, form, self.limits.timeout, head)
                content = response.read()
                response.release_conn()
            except (NewConnectionError, ProxyError) as error:
                raise Again(_connection_reason(error)) from None
            except TimeoutError as error:
                told = f"no answer within {self.limits.timeout:g} s" if response is None else _connection_reason(error)
                raise Again(told) from None
            except SSLError:
                raise Refused("the TLS certificate is not accepted", advice="check setting api_url") from None
            except (
                LocationValueError,
                requests.exceptions.InvalidURL,
                requests.exceptions.MissingSchema,
                requests.exceptions.InvalidSchema,
            ):
                raise Refused("not a usable address", advice="check setting api_url") from None
            except (ProtocolError, OSError) as error:
                raise Again("the answer was cut off" if response is not None else _connection_reason(error)) from None
            except (HTTPError, ValueError, requests.RequestException) as error:
                # Only the kind: the texts of requests and urllib3 hold the whole URL.
                raise Again(f"the call failed ({type(error).__name__})") from None
            finally:
                if response is not None:
                    response.close()
        clock = http_date(response.headers.get("Date"))
        digest = known.digest(content) if known is not None and response.status == 200 else None
        # The same bytes were judged, and found good, when they came first.
        unread = content if known is not None and digest in known.digests else None
        data = self._judge(response.status, content, response.headers) if unread is None else None
        with self._lock:
            self.accepted = True
            if clock is not None and (self.provider_now is None or clock > self.provider_now):
                self.provider_now = clock
        return Answer(data, clock, asked_at, calls, shown, response.headers, digest, unread)

    def _judge(self, status: int, content: bytes, headers: Mapping[str, str]) -> Any:
        data, is_json = None, True
        try:
            data = parse_json(content)
        except ValueError:
            is_json = False
        self.inspect(status, data, headers)
        if status == 429:
            raise Again("too many calls (429)", wait=self.retry_after(headers))
        if status == 408 or status >= 500:
            raise Again(f"the provider failed ({status})", wait=self.retry_after(headers))
        if status == 401:
            raise Expired("not signed in (401)")
        if status == 403:
            raise Denied("not allowed (403)")
        if status == 404:
            raise Missing("not found (404)")
        if 300 <= status < 400:
            raise Refused(f"a redirect ({status}) was not followed", advice="check setting api_url")
        if status >= 400:
            raise Refused(f"the call was refused ({status})")
        if not is_json:
            raise Again("the answer is not JSON, or was cut off" if content else "the answer is empty")
        return data

    def retry_after(self, headers: Mapping[str, str]) -> float | None:
        """Return the pause that the provider asks for, in seconds; None where it does not."""
        asked = (headers.get("Retry-After") or "").strip()
        if asked.isdecimal():
            return float(asked)
        until = http_date(asked)
        if until is None:
            return None
        # Against the provider's own clock where it tells it: ours may be off.
        now = http_date(headers.get("Date")) or self.clock()
        return max((until - now).total_seconds(), 0.0)

    # --- telling -----------------------------------------------------------------------------------

    def where(self, stream: str = "") -> str:
        """Return who and what an error line is about."""
        told = f"{self.provider}, partner {self.timing_partner_id}"
        return f"{told}, stream {stream}" if stream else told

    def _error(self, verdict: Verdict, shown: str, stream: str, calls: int) -> TapError:
        told = redact(f"{self.where(stream)}: {shown}: {verdict.reason}")
        if isinstance(verdict, Denied):
            names = self.credential_settings()
            settings = f"setting{'s' * (len(names) > 1)} {', '.join(names)}" if names else "the credentials"
            return CredentialsRefused(f"{told}: check {verdict.advice or settings}")
        if isinstance(verdict, Missing):
            return Gone(told)
        if isinstance(verdict, Again):
            wait = verdict.wait or 0
            if wait > self.limits.longest_wait:
                return StreamStopped(f"{told}; it asks to wait {wait:.0f} s: run again after that")
            return StreamStopped(
                f"{told}, {calls} times: run again later, or raise setting max_tries or request_timeout"
            )
        advice = verdict.advice or "see what the provider's documentation says about this call"
        return StreamStopped(f"{told}: {advice}")

    def close(self) -> None:
        """End pauses and let go of connections."""
        self._closing.set()
        self._session.close()
        self.budget.close()


def _connection_reason(error: Exception) -> str:
    text = str(error)
    for sign, reason in (
        ("NameResolution", "the host name is unknown"),
        ("refused", "the connection was refused"),
        ("Connection aborted", "the connection was dropped"),
        ("Read timed out", "no answer in time"),
    ):
        if sign in text:
            return reason
    return "no connection"
