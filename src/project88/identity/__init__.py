"""Who is who: which records are the same person, without labels and without a database.

>>> from project88 import identity
>>> linked = identity.link(records)          # Arrow or pandas
>>> linked.persons                           # record_id, person_id, confidence: every record once
>>> linked.links                             # which records were linked, how surely, and what agreed
"""

from __future__ import annotations

from project88.identity.columns import COLUMNS
from project88.identity.linking import THRESHOLD, Linked, link

__all__ = ["COLUMNS", "THRESHOLD", "Linked", "link"]
