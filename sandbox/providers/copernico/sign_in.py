"""Signing in at Copernico: a key in a header where one is needed; presets, leaders and files need none."""

from __future__ import annotations

from sandbox.providers.common import Call
from sandbox.providers.copernico.wire import CopernicoError
from sandbox.world import PARTNERS


def credentials(partner: int) -> dict[str, str]:
    """Return a partner's key, and the login under which its presets are kept."""
    slug = PARTNERS[partner][1]
    return {"api_key": f"cop-{slug}-organizer-key-88", "login": f"timing@{slug}.example"}


class SignIn:
    """Who may call."""

    def __init__(self) -> None:
        """Give every partner a key."""
        self.keys = {credentials(p)["api_key"]: p for p in PARTNERS}
        self.logins = {credentials(p)["login"]: p for p in PARTNERS}

    def credential(self, call: Call) -> str:
        """Return whose key a call carries; without one, the login in the address of a preset."""
        partner = self.keys.get(call.headers.get("x-api-key", ""))
        if partner is not None:
            return credentials(partner)["login"]
        login = self.login_asked(call)
        return login if login in self.logins else "anonymous"

    def partner_of(self, call: Call) -> int | None:
        """Return who calls, rightly signed in or not."""
        return self.logins.get(self.credential(call))

    @staticmethod
    def login_asked(call: Call) -> str:
        """Return the login that a preset's address names; empty for any other address."""
        if call.path[3:4] != ("preset",) or len(call.written) < 5:
            return ""
        return call.written[4].partition(":::")[0]

    def sign_in(self, call: Call) -> int:
        """Return the partner whose key a call carries, or refuse."""
        partner = self.keys.get(call.headers.get("x-api-key", ""))
        if partner is None:
            raise CopernicoError(401, "Invalid api key")
        call.partner = partner
        return partner
