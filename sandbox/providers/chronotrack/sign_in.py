"""Signing in at ChronoTrack: an application's id with a login in the query, with Basic, or with an OAuth token."""

from __future__ import annotations

import base64
import binascii
import hashlib
from urllib.parse import parse_qsl

from sandbox.providers.chronotrack.wire import ChronoTrackError
from sandbox.providers.common import Answer, Call
from sandbox.state import State
from sandbox.world import PARTNERS

TOKEN_SECONDS = 259_199


def credentials(partner: int) -> dict[str, str]:
    """Return a partner's account and its application."""
    slug = PARTNERS[partner][1]
    return {
        "client_id": hashlib.sha256(slug.encode()).hexdigest()[:8],
        "client_secret": f"ct-{slug}-client-secret-88",
        "username": f"timing@{slug}.example",
        "password": f"ct-{slug}-Password-88",
        "refresh_token": f"ct-{slug}-refresh-88",
    }


class SignIn:
    """Who may call, and the access tokens given out."""

    def __init__(self, state: State) -> None:
        """Give every partner an account and an application; tokens expire by this state's clock."""
        self.state = state
        self.accounts = {credentials(p)["username"]: p for p in PARTNERS}
        self.clients = {credentials(p)["client_id"]: p for p in PARTNERS}
        self.tokens: dict[str, tuple[int, int]] = {}
        self.issued = 0

    def credential(self, call: Call) -> str:
        """Return which application a call comes from."""
        given = call.query.get("client_id")
        if given is None and call.path[:1] == ("oauth2",):
            given = self._basic(call)[0]
        return given or "anonymous"

    def partner_of(self, call: Call) -> int | None:
        """Return whose application a call comes from, rightly signed in or not."""
        return self.clients.get(self.credential(call))

    @staticmethod
    def _basic(call: Call) -> tuple[str, str]:
        given = call.headers.get("authorization", "")
        if not given.lower().startswith("basic "):
            return "", ""
        try:
            user, _, password = base64.b64decode(given[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password

    def sign_in(self, call: Call) -> None:
        """Set the call's partner, or refuse."""
        client = self.clients.get(call.query.get("client_id", ""))
        if client is None:
            raise ChronoTrackError(401, "Unknown client_id")
        header = call.headers.get("authorization", "")
        if header.lower().startswith("bearer "):
            partner, expires = self.tokens.get(header[7:].strip(), (None, 0))
            if expires <= self.state.now:
                partner = None
        elif header.lower().startswith("basic "):
            user, password = self._basic(call)
            partner = self.accounts.get(user)
            if partner is not None and password != credentials(partner)["password"]:
                partner = None
        else:
            partner = self.accounts.get(call.query.get("user_id", ""))
            if partner is not None:
                # Lowercase hex of an unsalted SHA-1 is what this provider takes.
                right = hashlib.sha1(credentials(partner)["password"].encode()).hexdigest()  # noqa: S324
                if call.query.get("user_pass") != right:
                    partner = None
        if partner is None or partner != client:
            raise ChronoTrackError(401, "Invalid credentials")
        call.partner = partner

    def forget_token(self, call: Call) -> None:
        """Let the access token of a call expire."""
        self.tokens.pop(call.headers.get("authorization", "")[7:].strip(), None)

    def token(self, call: Call) -> Answer:
        """Answer a call for an access token."""
        client_id, secret = self._basic(call)
        partner = self.clients.get(client_id)
        if partner is None or secret != credentials(partner)["client_secret"]:
            raise ChronoTrackError(401, "Invalid client")
        form = dict(call.query)
        if call.body:
            form |= dict(parse_qsl(call.body.decode("utf-8", "replace")))
        account = credentials(partner)
        match form.get("grant_type"):
            case "password":
                right = (form.get("username"), form.get("password")) == (account["username"], account["password"])
            case "refresh_token":
                right = form.get("refresh_token") == account["refresh_token"]
            case _:
                raise ChronoTrackError(400, "Unsupported grant_type")
        if not right:
            raise ChronoTrackError(401, "Invalid grant")
        self.issued += 1
        token = hashlib.sha256(f"{client_id}/{self.issued}".encode()).hexdigest()[:40]
        self.tokens[token] = (partner, self.state.now + TOKEN_SECONDS)
        body = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": TOKEN_SECONDS,
            "refresh_token": account["refresh_token"],
        }
        return Answer(body, headers={"Cache-Control": "no-store"})
