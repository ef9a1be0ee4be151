"""Who called how often: the limits that are kept, and the counts that control shows."""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict

from sandbox.providers import PROVIDERS
from sandbox.providers.common import ControlError, Quota, Record

HOUR = 3600
# All providers' words for all of them: what a client sends to the wrong one is as secret.
_PARAMETERS = sorted({name for provider in PROVIDERS.values() for name in provider.secret_parameters})
SECRET = re.compile(rf"(?i)((?:{'|'.join(map(re.escape, _PARAMETERS))})=)[^&]*")


class Limits:
    """Calls in the running hour (real time) and calls in flight, per credential."""

    def __init__(self) -> None:
        """Start generous: the taps keep the providers' own limits themselves."""
        self.now = {name: asdict(provider.limit) for name, provider in PROVIDERS.items()}
        self.retry_after: float | None = 1.0
        self.hour_began: dict[tuple[str, str], float] = {}
        self.hour_calls: dict[tuple[str, str], int] = {}

    def settings(self, served: Iterable[str]) -> Record:
        """Return the limits of these providers as control shows them."""
        return {name: dict(self.now[name]) for name in served} | {"retry_after": self.retry_after}

    def change(self, asked: Record) -> None:
        """Set limits; setting one forgets the calls made so far in the hour."""
        name = asked.get("provider")
        if name not in PROVIDERS:
            raise ControlError(f"unknown provider {name!r}: {', '.join(PROVIDERS)}")
        self.now[name] |= {key: int(asked[key]) for key in self.now[name] if key in asked}
        if "retry_after" in asked:
            self.retry_after = asked["retry_after"]
        self.hour_calls = {k: v for k, v in self.hour_calls.items() if k[0] != name}

    def count(self, who: tuple[str, str]) -> Quota:
        """Count a call of a provider's credential and return how that stands; a call too many leaves less than 0."""
        now = time.monotonic()
        if now - self.hour_began.get(who, -HOUR) >= HOUR:
            self.hour_began[who], self.hour_calls[who] = now, 0
        self.hour_calls[who] = self.hour_calls.get(who, 0) + 1
        limit = self.now[who[0]]["calls_per_hour"]
        return Quota(limit, limit - self.hour_calls[who], math.ceil(self.hour_began[who] + HOUR - now))


class Calls:
    """What was called, by whom."""

    def __init__(self) -> None:
        """Start counting."""
        self.table: dict[tuple[str, str], Record] = {}
        self.log: deque[str] = deque(maxlen=1000)

    def count(self, provider: str, credential: str, partner: int | None, template: str, address: str) -> Record:
        """Count one call and return its row."""
        row = self.table.setdefault(
            (provider, credential),
            {
                "provider": provider,
                "timing_partner_id": partner,
                "credential": credential,
                "calls": 0,
                "refused": 0,
                "faults": 0,
                "in_flight": 0,
                "max_in_flight": 0,
                "paths": {},
            },
        )
        row["calls"] += 1
        row["paths"][template] = row["paths"].get(template, 0) + 1
        self.log.append(f"{provider} " + SECRET.sub(r"\1***", address))
        return row
