"""The three ways to sign in to Race Roster (raceroster.md, section 2)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tap_shared.errors import CredentialsRefused, StreamStopped
from tap_shared.redaction import redact

# What each way needs. `timer_login` is what clients of the live service do; the others are the project's own profile.
NEEDS = {
    "timer_login": ("client_id", "client_secret", "username", "password"),
    "client_credentials": ("client_id", "client_secret"),
    "api_key": ("api_key",),
}
# Seen in a client: a token is given up two minutes before its announced end.
EARLY_S = 120.0
# The vendor's sample lives a day; for an answer that does not say.
LIFE_S = 86_400.0

GetToken = Callable[[dict[str, Any]], Any]


def missing_settings(config: Mapping[str, Any]) -> list[str]:
    """Return the settings that the chosen way to sign in still needs."""
    return [name for name in NEEDS[config["auth_method"]] if not config.get(name)]


class SignIn(Protocol):
    """One way to sign in."""

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the credentials to a call."""

    def renew(self) -> bool:
        """Get new credentials after the old ones expired; False when there is no way to."""


class Key:
    """A static key, sent as if it were a token."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Build the header once."""
        self._header = f"Bearer {config['api_key']}"

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the header."""
        headers["Authorization"] = self._header

    def renew(self) -> bool:
        """Have nothing that expires."""
        return False


class Token:
    """A bearer token: by the login of a timer, a refresh of that, or the client's own credentials."""

    def __init__(self, config: Mapping[str, Any], get_token: GetToken) -> None:
        """Remember how to ask; nothing is asked until the first call."""
        self._config = config
        self._get_token = get_token
        self._token = ""
        self._refresh_token = ""
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

    def _ask(self) -> None:
        """Refresh where that is possible, else sign in anew: a refresh token outlives its token by an hour only."""
        client = {name: self._config[name] for name in ("client_id", "client_secret")}
        if self._refresh_token:
            refresh_token, self._refresh_token = self._refresh_token, ""
            try:
                self._take(self._get_token(client | {"grant_type": "refresh_token", "refresh_token": refresh_token}))
            except CredentialsRefused:
                pass
            else:
                return
        if self._config["auth_method"] == "client_credentials":
            self._take(self._get_token(client | {"grant_type": "client_credentials"}))
            return
        login = {name: self._config[name] for name in ("username", "password")}
        # Not a grant of the standard: it behaves like its password grant.
        self._take(self._get_token(client | {"grant_type": "access_token"} | login))

    def _take(self, answer: Any) -> None:
        found = unwrapped(answer)
        token = found.get("access_token")
        if not isinstance(token, str) or not token:
            raise StreamStopped("raceroster: the answer to the sign-in has no access_token: check setting auth_url")
        self._token = token
        # It comes with every token and replaces the one before. A tap cannot write it into its settings.
        refresh_token = found.get("refresh_token")
        self._refresh_token = refresh_token if isinstance(refresh_token, str) else ""
        redact.conceal([self._token, self._refresh_token])
        try:
            life = float(found.get("expires_in") or LIFE_S)
        except (TypeError, ValueError):
            life = LIFE_S
        self._ends = time.monotonic() + life - min(EARLY_S, life / 2)


def unwrapped(answer: Any) -> dict[str, Any]:
    """Return what is inside `data`: an object, an array of one, or no envelope at all; empty for anything else."""
    inside = answer.get("data", answer) if isinstance(answer, dict) else None
    if isinstance(inside, list):
        inside = inside[0] if inside else None
    return inside if isinstance(inside, dict) else {}


def sign_in(config: Mapping[str, Any], get_token: GetToken) -> SignIn:
    """Return the way to sign in that the settings choose."""
    return Key(config) if config["auth_method"] == "api_key" else Token(config, get_token)
