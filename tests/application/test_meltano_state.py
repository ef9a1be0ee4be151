"""Meltano's state in our own table."""

import pytest
from meltano.core.state_store.base import MeltanoState, StateIDLockedError

from project88 import db, meltano_state
from project88.db.schema import ensure_hub

STATE_ID = "hub:tap-runsignup-to-target-postgres:partner1-main"


@pytest.fixture
def store(embedded_dsn, monkeypatch):
    monkeypatch.setenv("P88_DATABASE_URL", embedded_dsn)
    connection = db.connect(embedded_dsn)
    ensure_hub(connection)
    connection.close()
    with meltano_state.HubStateStoreManager() as manager:
        yield manager


def test_a_state_comes_back_as_it_was_written(store):
    store.update(MeltanoState(STATE_ID, completed_state={"singer_state": {"bookmarks": {"a": 1}}}))

    found = store.get(STATE_ID)

    assert found.completed_state == {"singer_state": {"bookmarks": {"a": 1}}}


def test_a_partial_state_is_laid_over_what_was_complete(store):
    store.update(MeltanoState(STATE_ID, completed_state={"singer_state": {"a": 1}}))

    store.update(MeltanoState(STATE_ID, partial_state={"singer_state": {"b": 2}}))

    assert '"a": 1' in store.get(STATE_ID).json_merged()
    assert '"b": 2' in store.get(STATE_ID).json_merged()


def test_ids_are_found_by_pattern_and_percent_signs_are_no_pattern(store):
    store.update(MeltanoState(STATE_ID, completed_state={"x": 1}))
    store.update(MeltanoState("hub:a%b:partner2-main", completed_state={"x": 1}))

    assert list(store.get_state_ids("*partner1*")) == [STATE_ID]
    assert list(store.get_state_ids("hub:a%*")) == ["hub:a%b:partner2-main"]


def test_a_cleared_state_is_gone(store):
    store.update(MeltanoState(STATE_ID, completed_state={"x": 1}))

    store.clear(STATE_ID)

    assert store.get(STATE_ID) is None


def test_a_lock_held_by_another_process_is_respected_and_freed_when_it_dies(store, monkeypatch):
    monkeypatch.setattr(meltano_state, "GIVE_UP_AFTER_SECONDS", 0.5)
    other = meltano_state.HubStateStoreManager()
    holding = other.acquire_lock(STATE_ID, retry_seconds=0.1)
    holding.__enter__()

    with pytest.raises(StateIDLockedError), store.acquire_lock(STATE_ID, retry_seconds=0.1):
        pass

    # As a kill would: the session ends without a word.
    other._connection.close()
    with store.acquire_lock(STATE_ID, retry_seconds=0.1):
        pass
