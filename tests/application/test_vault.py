"""Credentials at rest."""

import pytest
from cryptography.fernet import Fernet

from project88 import vault
from project88.errors import ActionNeeded

HARBOUR = vault.Owner(1, "runsignup", "main")
SUMMIT = vault.Owner(2, "runsignup", "main")
SECRETS = {"api_key": "harbour-key", "api_secret": "harbour-secret"}


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("P88_SECRET_KEY", Fernet.generate_key().decode())


def test_what_was_sealed_can_be_opened_by_its_owner():
    sealed, key_id = vault.seal(HARBOUR, SECRETS)

    assert vault.open_(HARBOUR, sealed, key_id) == SECRETS


def test_no_secret_can_be_read_in_what_is_stored():
    sealed, key_id = vault.seal(HARBOUR, SECRETS)

    assert "harbour" not in sealed + key_id


def test_a_ciphertext_moved_to_another_partner_is_refused():
    sealed, key_id = vault.seal(HARBOUR, SECRETS)

    with pytest.raises(ActionNeeded, match="belong to another connection"):
        vault.open_(SUMMIT, sealed, key_id)


def test_another_key_is_named_in_one_line(monkeypatch):
    sealed, key_id = vault.seal(HARBOUR, SECRETS)
    monkeypatch.setenv("P88_SECRET_KEY", Fernet.generate_key().decode())

    with pytest.raises(ActionNeeded, match=f"sealed with key {key_id}") as caught:
        vault.open_(HARBOUR, sealed, key_id)

    assert "\n" not in str(caught.value)


def test_a_key_that_is_none_is_said_so(monkeypatch):
    monkeypatch.setenv("P88_SECRET_KEY", "hello")

    with pytest.raises(ActionNeeded, match="p88 key new"):
        vault.seal(HARBOUR, SECRETS)
