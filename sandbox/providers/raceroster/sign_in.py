"""Signing in at Race Roster: three doors, each of which a quirk can shut (section 2 and 8 of the provider page).

- `/api/oauth/authorize` with the grants `access_token` (id, secret and the login of a timer account) and
  `refresh_token`: what the live service does.
- `client_credentials` there and at `/api/v1/oauth/token`, form or JSON, the token not wrapped: the project's profile.
- A static key, tried at `/api/v1/auth/validate`: the older profile.
"""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import parse_qsl

import orjson

from sandbox.providers.common import Answer, Call, Record
from sandbox.providers.raceroster.wire import RaceRosterError
from sandbox.state import State
from sandbox.world import PARTNERS

TOKEN_SECONDS = 86_400
# A refresh token outlives the access token by an hour: it bridges a day that was missed, no more.
REFRESH_SECONDS = 90_000


def credentials(partner: int) -> dict[str, str]:
    """Return a partner's OAuth client, its login, and its static key."""
    slug = PARTNERS[partner][1]
    return {
        "client_id": hashlib.sha256(f"rr-{slug}".encode()).hexdigest()[:40],
        "client_secret": f"rr-{slug}-client-secret-88",
        "username": f"timer@{slug}.example",
        "password": f"rr-{slug}-Password-88",
        "api_key": f"rr-{slug}-static-key-88",
    }


class SignIn:
    """Who may call, and the tokens given out."""

    def __init__(self, state: State, quirks: Record) -> None:
        """Give every partner an account; tokens expire by this state's clock, quirks shut doors."""
        self.state = state
        self.quirks = quirks
        self.clients = {credentials(p)["client_id"]: p for p in PARTNERS}
        self.keys = {credentials(p)["api_key"]: p for p in PARTNERS}
        self.tokens: dict[str, tuple[int, int]] = {}
        self.refreshes: dict[str, tuple[int, int]] = {}
        self.issued = 0

    @staticmethod
    def bearer(call: Call) -> str:
        """Return the token of a call; empty for none."""
        header = call.headers.get("authorization", "")
        return header[7:].strip() if header.lower().startswith("bearer ") else ""

    @staticmethod
    def form(call: Call) -> dict[str, str]:
        """Return what a sign-in sends, as a form or as JSON."""
        if call.headers.get("content-type", "").startswith("application/json"):
            try:
                given = orjson.loads(call.body)
            except ValueError:
                return {}
            return {str(k): str(v) for k, v in given.items()} if isinstance(given, dict) else {}
        return dict(parse_qsl(call.body.decode("utf-8", "replace")))

    def partner_of(self, call: Call) -> int | None:
        """Return whose client, token or key a call carries, right or wrong."""
        token = self.bearer(call)
        if token:
            return self.keys.get(token) or self.tokens.get(token, (None, 0))[0]
        return self.clients.get(self.form(call).get("client_id", "")) if call.body else None

    def credential(self, call: Call) -> str:
        """Return which OAuth client a call comes from."""
        partner = self.partner_of(call)
        return credentials(partner)["client_id"] if partner else "anonymous"

    def sign_in(self, call: Call) -> None:
        """Set the call's partner, or refuse."""
        token = self.bearer(call)
        partner, expires = self.tokens.get(token, (None, 0))
        if expires <= self.state.now:
            partner = self.keys.get(token) if self.quirks["raceroster_static_key"] else None
        if partner is None:
            raise RaceRosterError(401, "Unauthenticated.")
        call.partner = partner

    def forget_token(self, call: Call) -> None:
        """Let the access token of a call expire."""
        self.tokens.pop(self.bearer(call), None)

    def authorize(self, call: Call) -> Answer:
        """Answer a call for an access token at either address."""
        form = self.form(call)
        account = credentials(self.clients.get(form.get("client_id", ""), 1))
        if form.get("client_id") not in self.clients or form.get("client_secret") != account["client_secret"]:
            raise RaceRosterError(401, "Client authentication failed", "invalid_client")
        partner = self.clients[form["client_id"]]
        grant = form.get("grant_type")
        observed = call.path == ("oauth", "authorize")
        if grant == "client_credentials" and self.quirks["raceroster_client_credentials"]:
            return Answer(self._token(partner), headers={"Cache-Control": "no-store"})
        if not (observed and self.quirks["raceroster_timer_login"]) or grant not in ("access_token", "refresh_token"):
            raise RaceRosterError(
                400, "The authorization grant type is not supported by the authorization server.",
                "unsupported_grant_type",
            )  # fmt: skip
        if grant == "access_token":
            right = (form.get("username"), form.get("password")) == (account["username"], account["password"])
        else:
            owner, expires = self.refreshes.pop(form.get("refresh_token", ""), (None, 0))
            right = owner == partner and expires > self.state.now
        if not right:
            raise RaceRosterError(400, "The user credentials or the refresh token were incorrect.", "invalid_grant")
        body: Record = self._token(partner) | {"refresh_token": self._refresh(partner)}
        wrapped: Record = {"data": [body] if self.quirks["raceroster_token_in_array"] else body}
        return Answer(body if self.quirks["raceroster_token_bare"] else wrapped, headers={"Cache-Control": "no-store"})

    def _token(self, partner: int) -> Record:
        self.issued += 1
        # A JWT as the vendor's own sample is one: RS256, `typ` with a small t, instants as floats.
        claims = {
            "aud": credentials(partner)["client_id"],
            "jti": hashlib.sha512(f"{partner}/{self.issued}".encode()).hexdigest()[:80],
            "iat": self.state.now + 0.25,
            "nbf": self.state.now + 0.25,
            "exp": self.state.now + TOKEN_SECONDS + 0.25,
            "sub": str(880 + partner),
            "scopes": ["timer"],
        }
        parts = [
            base64.urlsafe_b64encode(part).rstrip(b"=").decode()
            for part in (
                json.dumps({"typ": "JWt", "alg": "RS256"}).encode(),
                json.dumps(claims).encode(),
                hashlib.sha256(f"{partner}/{self.issued}".encode()).digest(),
            )
        ]
        token = ".".join(parts)
        self.tokens[token] = (partner, self.state.now + TOKEN_SECONDS)
        return {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}

    def _refresh(self, partner: int) -> str:
        token = "def50200" + hashlib.sha512(f"refresh/{partner}/{self.issued}".encode()).hexdigest()
        self.refreshes[token] = (partner, self.state.now + REFRESH_SECONDS)
        return token
