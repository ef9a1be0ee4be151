"""The two ways to sign in to Haku."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tap_shared.errors import StreamStopped
from tap_shared.redaction import redact

# What each way needs. `token` is what a client in production does (haku.md, 2.1); `api_key` is the project's own
# profile (2.2), which nobody has seen at work.
NEEDS = {
    "token": ("client_id", "client_secret"),
    "api_key": ("api_key", "api_secret"),
}
# A token is renewed this long before its announced end, as the client does that was seen.
EARLY_S = 300.0
# Where an answer does not say, as the same client takes it.
LIFE_S = 3600.0

GetToken = Callable[[dict[str, Any], dict[str, str]], Any]


def missing_settings(config: Mapping[str, Any]) -> list[str]:
    """Return the settings that the chosen way to sign in still needs."""
    return [name for name in NEEDS[config["auth_method"]] if not config.get(name)]


class SignIn(Protocol):
    """One way to sign in."""

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the credentials to a call."""

    def renew(self) -> bool:
        """Get new credentials after the old ones expired; False when there is no way to."""


class ApiKey:
    """Key and secret in two headers, with the word Bearer."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Build the headers once."""
        self._headers = {"Authorization": f"Bearer {config['api_key']}", "X-API-Secret": config["api_secret"]}

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the headers."""
        headers |= self._headers

    def renew(self) -> bool:
        """Have nothing that expires."""
        return False


class Token:
    """A token for an organisation's client, which goes into `Authorization` as it is: without the word Bearer."""

    def __init__(self, config: Mapping[str, Any], get_token: GetToken) -> None:
        """Remember how to ask; nothing is asked until the first call."""
        client = base64.b64encode(f"{config['client_id']}:{config['client_secret']}".encode()).decode()
        redact.conceal([client])
        self._basic = f"Basic {client}"
        self._get_token = get_token
        self._token = ""
        self._ends = 0.0
        self._lock = threading.Lock()
        self._used = threading.local()

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the token, a new one where there is none or it is about to end."""
        with self._lock:
            if not self._token or time.monotonic() > self._ends:
                self._ask()
            self._used.token = self._token
        headers["Authorization"] = self._used.token

    def renew(self) -> bool:
        """Get a new token, unless another thread just did."""
        with self._lock:
            if self._token == self._used.token:
                self._ask()
        return True

    def _ask(self) -> None:
        # There is no refresh token in this grant (documented by AWS for Cognito): one asks again.
        answer = self._get_token({"grant_type": "client_credentials"}, {"Authorization": self._basic})
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise StreamStopped("haku: the token endpoint answered without access_token: check setting token_url")
        self._token = answer["access_token"]
        redact.conceal([self._token])
        try:
            life = float(answer.get("expires_in") or LIFE_S)
        except (TypeError, ValueError):
            life = LIFE_S
        self._ends = time.monotonic() + life - min(EARLY_S, life / 2)


def sign_in(config: Mapping[str, Any], get_token: GetToken) -> SignIn:
    """Return the way to sign in that the settings choose."""
    return ApiKey(config) if config["auth_method"] == "api_key" else Token(config, get_token)
