"""The four ways to sign in to ChronoTrack Live."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tap_shared.errors import StreamStopped
from tap_shared.redaction import redact

HASHED = re.compile(r"[0-9a-fA-F]{40}")
# What each way needs beside client_id, which goes with every call.
NEEDS = {
    "simple": ("username", "password"),
    "basic": ("username", "password"),
    "oauth2_password": ("username", "password", "client_secret"),
    "oauth2_web": ("client_secret", "refresh_token"),
}
# A token is renewed this long before its announced end, rather than in the middle of a page.
EARLY_S = 60.0
# assumed (chronotrack.md says "about 259199", three days) where an answer does not say.
LIFE_S = 259_199.0

GetToken = Callable[[dict[str, Any], dict[str, str]], Any]


def missing_settings(config: Mapping[str, Any]) -> list[str]:
    """Return the settings that the chosen way to sign in still needs."""
    return [name for name in NEEDS[config["auth_method"]] if not config.get(name)]


def hashed(password: str) -> str:
    """Return the SHA-1 that the simple way wants; a value of 40 hex digits is one already."""
    if HASHED.fullmatch(password):
        return password.lower()
    return hashlib.sha1(password.encode()).hexdigest()  # noqa: S324 - the provider's protocol


def basic(user: str, password: str) -> str:
    """Return the value of a Basic Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class SignIn(Protocol):
    """One way to sign in."""

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the credentials to a call."""

    def renew(self) -> bool:
        """Get new credentials after the old ones expired; False when there is no way to."""


class Simple:
    """E-mail and hashed password in the query."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Hash the password once, and keep the hash out of logs: it opens the account as well."""
        self._user = config["username"]
        self._pass = hashed(config["password"])
        redact.conceal([self._pass])

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add e-mail and hash."""
        params["user_id"] = self._user
        params["user_pass"] = self._pass

    def renew(self) -> bool:
        """Have nothing that expires."""
        return False


class Basic:
    """E-mail and password in the usual header."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Build the header once."""
        self._header = basic(config["username"], config["password"])
        redact.conceal([self._header.removeprefix("Basic ")])

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the header."""
        headers["Authorization"] = self._header

    def renew(self) -> bool:
        """Have nothing that expires."""
        return False


class Token:
    """A bearer token, got with the account's password or with a refresh token."""

    def __init__(self, config: Mapping[str, Any], get_token: GetToken) -> None:
        """Remember how to ask; nothing is asked until the first call."""
        self._config = config
        self._get_token = get_token
        self._client = basic(config["client_id"], config["client_secret"])
        self._refresh_token = config.get("refresh_token")
        redact.conceal([self._client.removeprefix("Basic ")])
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
        headers["Authorization"] = f"Bearer {self._used.token}"

    def renew(self) -> bool:
        """Get a new token, unless another thread just did."""
        with self._lock:
            if self._token == self._used.token:
                self._ask()
        return True

    def _question(self) -> dict[str, Any]:
        if self._config["auth_method"] == "oauth2_password":
            return {
                "grant_type": "password",
                "username": self._config["username"],
                "password": self._config["password"],
            }
        # assumed (chronotrack.md names the token endpoint for the web flow, not its parameters): the usual grant.
        return {"grant_type": "refresh_token", "refresh_token": self._refresh_token}

    def _ask(self) -> None:
        answer = self._get_token(self._question(), {"Authorization": self._client})
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise StreamStopped("chronotrack: the token endpoint answered without access_token: check setting api_url")
        self._token = answer["access_token"]
        # A rotated refresh token serves this run; a tap cannot write it back into its settings.
        self._refresh_token = answer.get("refresh_token") or self._refresh_token
        redact.conceal([self._token, self._refresh_token])
        try:
            life = float(answer.get("expires_in") or LIFE_S)
        except (TypeError, ValueError):
            life = LIFE_S
        self._ends = time.monotonic() + life - min(EARLY_S, life / 2)


def sign_in(config: Mapping[str, Any], get_token: GetToken) -> SignIn:
    """Return the way to sign in that the settings choose."""
    method = config["auth_method"]
    if method == "simple":
        return Simple(config)
    if method == "basic":
        return Basic(config)
    return Token(config, get_token)
