"""The providers that the sandbox can play, by name. One more is a module here, a line below, and its tests."""

from __future__ import annotations

from sandbox.providers.chronotrack import ChronoTrack
from sandbox.providers.common import Provider
from sandbox.providers.copernico import Copernico
from sandbox.providers.haku import Haku
from sandbox.providers.letsdothis import LetsDoThis
from sandbox.providers.raceroster import RaceRoster
from sandbox.providers.runsignup import RunSignup

PROVIDERS: dict[str, type[Provider]] = {
    RunSignup.name: RunSignup,
    ChronoTrack.name: ChronoTrack,
    Haku.name: Haku,
    LetsDoThis.name: LetsDoThis,
    RaceRoster.name: RaceRoster,
    Copernico.name: Copernico,
}
