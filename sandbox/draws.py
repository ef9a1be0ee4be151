"""Deterministic randomness by key: any row of any event can be made without making those before it."""

from __future__ import annotations

import struct
from hashlib import blake2b

_KEY = struct.Struct("<qqqq")
_WORDS = struct.Struct("<32H")

WORD = 65536

# What a draw is for; part of the key, so that no two uses share their luck.
PERSON, ENTRY, TIMING, OCCASION, DISTANCE, TIMER_COPY = range(6)


def draws(seed: int, purpose: int, a: int, b: int = 0) -> tuple[int, ...]:
    """Return 32 numbers below 65536 that belong to this key and no other."""
    return _WORDS.unpack(blake2b(_KEY.pack(seed, purpose, a, b), digest_size=64).digest())
