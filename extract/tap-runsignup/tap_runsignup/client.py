"""RunSignUp over HTTP: two ways to sign in with keys, and errors that come as success."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tap_shared.http import Again, Client, Denied, Missing, Refused
from tap_shared.redaction import redact

# Documented error codes that do not speak for themselves.
THROTTLED = 14
DENIED = {6, 7, 13, 101, 102, 103}
# "Unknown" and "database": nothing about the call was wrong.
PASSING = {4, 5}
MISSING = {15, 201, 301}


class RunSignUpClient(Client):
    """One key of one account."""

    provider = "runsignup"
    secret_params = ("api_key", "api_secret", "rsu_api_key", "rsu_api_reg")

    def __init__(
        self,
        *,
        api_key: str,
        api_secret: str,
        auth_style: str,
        api_reg: str | None,
        api_reg_secret: str | None,
        **common: Any,
    ) -> None:
        """Keep the key, and keep it out of every line."""
        super().__init__(**common)
        redact.conceal((api_key, api_secret, api_reg, api_reg_secret))
        self._query = {"api_key": api_key, "api_secret": api_secret}
        self._head: dict[str, str] = {}
        if auth_style == "v2_key":
            self._query = {"rsu_api_key": api_key}
            self._head = {"X-RSU-API-SECRET": api_secret}
        self._registered = bool(api_reg)
        if api_reg and api_reg_secret:
            self._query["rsu_api_reg"] = api_reg
            self._head["X-RSU-API-REG-SECRET"] = api_reg_secret

    def credential_settings(self) -> tuple[str, ...]:
        """Return what to check when the provider refuses us."""
        names = ("api_key", "api_secret", "auth_style")
        return (*names, "api_reg", "api_reg_secret") if self._registered else names

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the key, and ask for JSON: without it the answer is XML."""
        params["format"] = "json"
        params |= self._query
        headers |= self._head

    def inspect(self, status: int, data: Any, headers: Mapping[str, str]) -> None:
        """Look for an error before looking at data: errors come with status 200, too."""
        if not isinstance(data, dict) or "error" not in data:
            return
        error = data["error"]
        if isinstance(error, dict):
            code, text = _number(error.get("error_code")), str(error.get("error_msg") or "")
        else:
            # Newer pages draw it as a plain string; without a code only the words are left.
            code, text = _guess(str(error)), str(error)
        told = redact(f"error {code} {text!r}" if code is not None else f"error {text!r}")[:200]
        if code == THROTTLED or status == 429:
            raise Again(told, wait=self.retry_after(headers))
        if code in DENIED or status in {401, 403}:
            raise Denied(told)
        if code in MISSING or status == 404:
            raise Missing(told)
        if code in PASSING or status >= 500:
            raise Again(told, wait=self.retry_after(headers))
        raise Refused(told, advice="https://runsignup.com/Api/ErrorCodes says what the code means")


def _number(code: Any) -> int | None:
    try:
        return int(code)
    except (TypeError, ValueError):
        return None


def _guess(text: str) -> int | None:
    lower = text.lower()
    for words, code in (
        (("throttl", "too many"), THROTTLED),
        (("authentication", "permission", "api key"), 7),
        (("race not found",), 201),
        (("event not found",), 301),
    ):
        if any(word in lower for word in words):
            return code
    return None
