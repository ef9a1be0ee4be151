"""Calls to Copernico: addresses, the key, the envelope, presets that are too large."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tap_shared.errors import CredentialsRefused, ShapeChanged, TapError
from tap_shared.http import Answer, Client, Refused

# Both are success (copernico.md, section 5); 1 with empty data means that nothing was found.
SUCCESS = (0, 1)
# Larger presets fail (copernico.md, section 4). How is assumed: 413, or 502 from what stands in front.
TOO_LARGE = (413, 502)


class RaceUnreadable(TapError):  # noqa: N818 - named for what it says, as in tap_shared.errors
    """One race cannot be read; the others can."""


class TooLarge(Exception):  # noqa: N818 - a judgement on one answer
    """A preset that is more than Copernico sends at once."""


class NotAllowed(Exception):  # noqa: N818 - a judgement on one answer
    """A 403 for one thing by a key that is good for others."""


class CopernicoClient(Client):
    """One organizer's account of Copernico."""

    provider = "copernico"

    def __init__(self, config: Mapping[str, Any], **common: Any) -> None:
        """Take the addresses; nothing is called yet."""
        super().__init__(**common)
        self._config = config

    def credential_settings(self) -> tuple[str, ...]:
        """Return the setting to check when we are refused."""
        return ("api_key",)

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        """Add the key."""
        headers["x-api-key"] = self._config.get("api_key") or ""

    def inspect(self, status: int, data: Any, headers: Mapping[str, str]) -> None:
        """Judge by the envelope's code where there is one, after the HTTP status."""
        if status == 413:
            raise TooLarge
        if status == 403 and self.accepted:
            raise NotAllowed
        if status == 200 and isinstance(data, dict) and isinstance(data.get("result"), dict):
            code = data["result"].get("code")
            if code not in SUCCESS:
                raise Refused(f"the provider answered code {code}: {str(data['result'].get('message'))[:100]}")

    # --- the surfaces that were observed ------------------------------------------------------------

    def races(self, stream: str) -> Answer:
        """Return the list of races; data is what the envelope holds."""
        return self.opened(self.get("races", stream=stream), stream)

    def athlete(self, race_id: str, athlete_id: str, stream: str) -> Answer:
        """Return one athlete's whole answer."""
        try:
            answer = self.get(f"races/{quoted(race_id)}/athlete/{quoted(athlete_id)}/full", stream=stream)
        except NotAllowed:
            told = f"{self.where(stream)}: athlete {athlete_id} of race {race_id}: not allowed (403)"
            raise RaceUnreadable(f"{told}: check whose race it is; its rows stay as they were last read") from None
        return self.opened(answer, stream)

    def preset(self, race_id: str, preset: str, event: str, stream: str) -> Answer:
        """Return the rows of a saved view: of one event, or of all where none is named. Needs no key."""
        path = f"races/{quoted(race_id)}/preset/{quoted(self._config['login'])}:::{quoted(preset)}"
        root = self._config["public_api_url"].rstrip("/")
        url = f"{root}/{path}" + (f"/{quoted(event)}" if event else "")
        answer = self.call("GET", url, stream=stream, signed=False)
        if isinstance(answer.data, dict) and isinstance(answer.data.get("data") or [], list) and "data" in answer.data:
            # An object with `data`, and then gunTime; or the envelope of nothing found.
            return answer
        return self.listed(answer, stream)

    def leaders(self, race_id: str, event: str, wanted: str, fields: str, stream: str) -> Answer:
        """Return the rows of an event's leaders under one filter. Needs no key."""
        root = self._config["public_api_url"].rstrip("/")
        url = f"{root}/races/{quoted(race_id)}/leaders/{quoted(event)}/{quoted(wanted, safe=':')}"
        return self.listed(self.call("GET", url, params={"fields": fields}, stream=stream, signed=False), stream)

    def ranking_file(self, competition_id: str, event: str, stream: str) -> Answer:
        """Return the rows of an event's ranking file. Needs no key."""
        root = self._config["ranking_files_url"].rstrip("/")
        url = f"{root}/{quoted(competition_id)}/{quoted(event)}/participants.json"
        return self.listed(self.call("GET", url, stream=stream, signed=False), stream)

    # --- the target API: assumed from end to end ----------------------------------------------------

    def target(self, service: str, path: str, params: Mapping[str, Any], stream: str) -> Answer:
        """Return one page of brrm-api or rankings-api."""
        url = f"{self._config['target_api_url'].rstrip('/')}/{service}/api/v1/{path}"
        try:
            return self.get(url, params, stream=stream)
        except NotAllowed:
            raise CredentialsRefused(
                f"{self.where(stream)}: GET {url}: not allowed (403): check setting api_key"
            ) from None

    # --- envelopes ----------------------------------------------------------------------------------

    def opened(self, answer: Answer, stream: str) -> Answer:
        """Take the data out of the envelope."""
        if not isinstance(answer.data, dict) or "data" not in answer.data:
            raise ShapeChanged(
                f"{self.where(stream)}: {answer.url}: the answer has no data: "
                "read the provider's release notes and update the tap"
            )
        answer.data = answer.data["data"]
        return answer

    def listed(self, answer: Answer, stream: str) -> Answer:
        """Make sure that there are rows, which come without an envelope."""
        if not isinstance(answer.data, list):
            raise ShapeChanged(
                f"{self.where(stream)}: {answer.url}: expected an array of rows: "
                "read the provider's release notes and update the tap"
            )
        return answer


def quoted(name: str, safe: str = "") -> str:
    """Return a name as it stands in an address: names are ids here, with spaces, accents and slashes."""
    return quote(name, safe=safe)
