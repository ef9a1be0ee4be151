"""Signing in at RunSignUp: a key with its secret, both in the query or the secret in a header."""

from __future__ import annotations

from sandbox.providers.common import Call
from sandbox.providers.runsignup.wire import RunSignupError
from sandbox.world import PARTNERS

API_REG, API_REG_SECRET = "p88-sandbox", "sandbox-caller-secret"


def credentials(partner: int) -> dict[str, str]:
    """Return a partner's key and secret."""
    slug = PARTNERS[partner][1]
    return {"api_key": f"rsu-{slug}-key", "api_secret": f"rsu-{slug}-secret-88"}


class SignIn:
    """Who may call."""

    def __init__(self) -> None:
        """Give every partner a key."""
        self.partners = {credentials(p)["api_key"]: p for p in PARTNERS}

    def credential(self, call: Call) -> str:
        """Return which credential a call carries, without its secret."""
        return call.query.get("api_key") or call.query.get("rsu_api_key") or "anonymous"

    def partner_of(self, call: Call) -> int | None:
        """Return whose credential a call carries, right or wrong."""
        return self.partners.get(self.credential(call))

    def sign_in(self, call: Call) -> None:
        """Set the call's partner, or refuse."""
        query, headers = call.query, call.headers
        if "rsu_api_reg" in query or "x-rsu-api-reg-secret" in headers:
            given = query.get("rsu_api_reg"), headers.get("x-rsu-api-reg-secret")
            if given != (API_REG, API_REG_SECRET):
                raise RunSignupError(6)
        if "api_key" in query:
            key, secret = query["api_key"], query.get("api_secret")
        elif "rsu_api_key" in query:
            key, secret = query["rsu_api_key"], headers.get("x-rsu-api-secret")
        else:
            return
        partner = self.partners.get(key)
        if partner is None or secret != credentials(partner)["api_secret"]:
            raise RunSignupError(6)
        call.partner = partner
