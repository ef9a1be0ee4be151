"""Who is who: which records are the same person, without labels and without a database.

>>> from project88 import identity
>>> linked = identity.link(records)          # Arrow or pandas
>>> linked.persons                           # record_id, person_id, confidence: every record once
>>> linked.links                             # which records were linked, how surely, and what agreed

To link a few more to millions that are linked already: `identity.Base`.
"""

from __future__ import annotations

from project88.identity.base import THRESHOLD, Base, Found
from project88.identity.columns import COLUMNS
from project88.identity.linking import Linked, link
from project88.identity.scoring import Parameters

__all__ = ["COLUMNS", "THRESHOLD", "Base", "Found", "Linked", "Parameters", "link"]
