"""Signing in at Haku: a token that goes bare into `Authorization`, or the project's own key and secret.

Observed are the token endpoint (Basic, form body) and the bare token. That a token with the word Bearer is refused is
assumed, and so is the whole second door.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from urllib.parse import parse_qsl

from sandbox.providers.common import Answer, Call, Record
from sandbox.providers.haku.wire import HakuError, gateway
from sandbox.state import State
from sandbox.world import PARTNERS

TOKEN_SECONDS = 3600


def credentials(partner: int) -> dict[str, str]:
    """Return what a partner's organisation was given for either door."""
    slug = PARTNERS[partner][1]
    digest = base64.b32encode(hashlib.sha256(f"haku {slug}".encode()).digest()).decode().lower()
    return {
        "client_id": digest[:26],
        "client_secret": f"haku-{slug}-client-secret-88",
        "api_key": f"haku-{slug}-key-88",
        "api_secret": f"haku-{slug}-secret-88",
    }


class SignIn:
    """Who may call, and the access tokens given out."""

    def __init__(self, state: State, quirks: Record) -> None:
        """Give every partner's organisation both doors; tokens expire by this state's clock."""
        self.state = state
        self.quirks = quirks
        self.clients = {credentials(p)["client_id"]: p for p in PARTNERS}
        self.keys = {credentials(p)["api_key"]: p for p in PARTNERS}
        self.tokens: dict[str, tuple[int, int]] = {}
        self.issued = 0

    def credential(self, call: Call) -> str:
        """Return which organisation's client a call comes from: both doors are counted together."""
        client = self._basic(call)[0] if call.path[-2:] == ("oauth2", "token") else ""
        if client:
            return client
        partner = self.partner_of(call)
        return "anonymous" if partner is None else credentials(partner)["client_id"]

    def partner_of(self, call: Call) -> int | None:
        """Return whose client, token or key a call carries, still good or not."""
        header = call.headers.get("authorization", "")
        token = header[7:] if header.startswith("Bearer ") else header
        if token in self.tokens:
            return self.tokens[token][0]
        return self.keys.get(token) or self.clients.get(self._basic(call)[0])

    @staticmethod
    def _basic(call: Call) -> tuple[str, str]:
        given = call.headers.get("authorization", "")
        if not given.lower().startswith("basic "):
            return "", ""
        try:
            client, _, secret = base64.b64decode(given[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return client, secret

    def sign_in(self, call: Call) -> None:
        """Set the call's partner, or refuse."""
        header = call.headers.get("authorization", "")
        if "x-api-secret" in call.headers:
            partner = self.keys.get(header.removeprefix("Bearer ")) if header.startswith("Bearer ") else None
            if partner is not None and call.headers["x-api-secret"] != credentials(partner)["api_secret"]:
                partner = None
        else:
            if self.quirks["haku_bearer_allowed"]:
                header = header.removeprefix("Bearer ")
            partner, expires = self.tokens.get(header, (None, 0))
            if partner is not None and expires <= self.state.now:
                raise gateway(401, "The incoming token has expired")
        if partner is None:
            raise gateway(401, "Unauthorized")
        call.partner = partner

    def forget_token(self, call: Call) -> None:
        """Let the access token of a call expire."""
        self.tokens.pop(call.headers.get("authorization", "").removeprefix("Bearer "), None)

    def token(self, call: Call) -> Answer:
        """Answer a call for an access token; a client's own credentials never come with a refresh token."""
        if call.method != "POST":
            raise gateway(405, "Method Not Allowed")
        client, secret = self._basic(call)
        partner = self.clients.get(client)
        if partner is None or secret != credentials(partner)["client_secret"]:
            raise HakuError(400, {"error": "invalid_client"})
        if call.headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded":
            raise HakuError(400, {"error": "invalid_request"})
        if dict(parse_qsl(call.body.decode("utf-8", "replace"))).get("grant_type") != "client_credentials":
            raise HakuError(400, {"error": "unauthorized_client"})
        self.issued += 1
        token = hashlib.sha256(f"{client}/{self.issued}".encode()).hexdigest()
        self.tokens[token] = (partner, self.state.now + TOKEN_SECONDS)
        return Answer({"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"})
