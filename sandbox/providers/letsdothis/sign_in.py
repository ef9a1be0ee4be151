"""Signing in at Let's Do This: a key that is itself a signed token, sent as Bearer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from sandbox.providers.common import Call
from sandbox.providers.letsdothis.wire import LetsDoThisError
from sandbox.world import PARTNERS

SIGNING_SECRET = b"ldt-sandbox-signing-secret-88"


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def organiser(partner: int) -> str:
    """Return a partner's organiser account."""
    return f"org-{PARTNERS[partner][1]}"


def credentials(partner: int) -> dict[str, str]:
    """Return a partner's key: claims, algorithm and the missing end are assumed, the form is documented."""
    head = _part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = _part(json.dumps({"organiserId": organiser(partner), "iat": 1_700_000_000 + partner}).encode())
    signed = f"{head}.{claims}"
    return {"api_key": f"{signed}.{_part(hmac.new(SIGNING_SECRET, signed.encode(), hashlib.sha256).digest())}"}


class SignIn:
    """Who may call."""

    def __init__(self) -> None:
        """Give every partner a key."""
        self.partners = {credentials(p)["api_key"]: p for p in PARTNERS}

    def partner_of(self, call: Call) -> int | None:
        """Return whose key a call carries."""
        kind, _, key = call.headers.get("authorization", "").partition(" ")
        return self.partners.get(key.strip()) if kind.lower() == "bearer" else None

    def credential(self, call: Call) -> str:
        """Return which account a call comes from, without its key."""
        partner = self.partner_of(call)
        return organiser(partner) if partner is not None else "anonymous"

    def sign_in(self, call: Call) -> int:
        """Set the call's partner and return it, or refuse."""
        call.partner = self.partner_of(call)
        if call.partner is None:
            raise LetsDoThisError(401, "Invalid or missing API key")
        return call.partner
