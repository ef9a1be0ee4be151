"""Credentials at rest: encrypted, bound to the connection they belong to, the key's id beside them."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken

from project88 import settings
from project88.errors import ActionNeeded


@dataclass(frozen=True)
class Owner:
    """Whose secrets: written inside the ciphertext, so that it cannot be moved to another row."""

    timing_partner_id: int
    provider: str
    account: str

    def __str__(self) -> str:
        return f"{self.timing_partner_id}/{self.provider}/{self.account}"


def _key() -> bytes:
    given = os.environ.get("P88_SECRET_KEY", "").strip()
    if given:
        return given.encode()
    file = settings.home() / "secret.key"
    if not file.exists():
        # O_EXCL: of two processes that start at once, one writes the key and the other reads it.
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return file.read_bytes()
        with os.fdopen(descriptor, "wb") as out:
            out.write(Fernet.generate_key())
    return file.read_bytes()


def _fernet(given: str | None = None) -> tuple[Fernet, str]:
    key = _key() if given is None else given.strip().encode()
    try:
        return Fernet(key), hashlib.sha256(key).hexdigest()[:12]
    except ValueError as error:
        raise ActionNeeded(
            f"{'P88_SECRET_KEY' if given is None else 'the new key'} is not a Fernet key "
            "(32 bytes, URL-safe base64); `p88 key new` prints one"
        ) from error


def seal(owner: Owner, secrets: dict[str, str], key: str | None = None) -> tuple[str, str]:
    """Return ciphertext and key id; with the key in use unless another one is given."""
    fernet, key_id = _fernet(key)
    inside = json.dumps({"owner": str(owner), "secrets": secrets}, ensure_ascii=False).encode()
    return fernet.encrypt(inside).decode(), key_id


def open_(owner: Owner, sealed: str, key_id: str | None) -> dict[str, str]:
    """Return the secrets. Raises ActionNeeded when the key is another one or the text belongs to another connection."""
    fernet, ours = _fernet()
    try:
        inside = json.loads(fernet.decrypt(sealed.encode()))
    except InvalidToken as error:
        raise ActionNeeded(
            f"the credentials of {owner} were sealed with key {key_id}, the key in use is {ours}; "
            "set P88_SECRET_KEY to that key or add the connection again"
        ) from error
    if inside["owner"] != str(owner):
        raise ActionNeeded(f"the credentials beside {owner} belong to another connection; add the connection again")
    return dict(inside["secrets"])
