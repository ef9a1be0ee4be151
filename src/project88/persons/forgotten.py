"""What is kept of forgotten persons: keyed hashes of the ids of their records, and triggers by which raw refuses them.

The key of the hashes is sealed as credentials are. A run of a loader gets it in its session; where somebody was
forgotten and the session does not have it, rows of that partner are not taken at all.
"""

# ruff: noqa: S608 - every name in these statements is our own

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg2 import sql

from expectations.streams import STREAMS, Stream
from project88 import vault
from project88.db.schema import fingerprint
from project88.errors import ActionNeeded

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

SETTING = "p88.forgotten_key"
TRIGGER = "a_refuse_forgotten"
BLOCK = 64
SALT_BYTES = 32
SIDE_STREAMS = ("rejects", "removals")


@dataclass(frozen=True)
class Whose:
    """By what a row says whose it is: `parts` is SQL of a raw row, which stands as {row}.

    Two tables of a provider that have a name in common know the same by it. What `finds` nothing only refuses: it is
    too weak to take rows away by.
    """

    name: str
    parts: tuple[str, ...]
    finds: bool = True

    def id_of(self, row: str) -> str:
        """Return the SQL of the id, parts joined with a stroke; null where one is."""
        return " || '/' || ".join(f"({part.format(row=row)})::text" for part in self.parts)


def _by(name: str, *columns: str) -> Whose:
    return Whose(name, tuple(f"{{row}}.{column}" for column in columns))


# Race Roster's results service has no id of the registration.
_STARTED = ("{row}.event_id", "nullif(btrim({row}.%s), '')", r"lower(btrim(regexp_replace(%s, '\s+', ' ', 'g')))")
WHOSE: dict[tuple[str, str], tuple[Whose, ...]] = {
    ("runsignup", "participants"): (_by("entry", "registration_id"),),
    ("runsignup", "removed_participants"): (_by("entry", "registration_id"),),
    ("runsignup", "results"): (_by("entry", "registration_id"),),
    ("chronotrack", "entries"): (_by("entry", "entry_id"),),
    ("chronotrack", "results"): (_by("entry", "results_entry_id"),),
    ("letsdothis", "participants"): (_by("entry", "participant_id"), _by("application", "application_id")),
    ("letsdothis", "applications"): (_by("application", "application_id"),),
    ("haku", "participants"): (_by("entry", "registration_number"),),
    ("haku", "registrations"): (_by("entry", "registration_number"),),
    ("raceroster", "participants"): (
        _by("entry", "participant_id"),
        Whose(
            "starter",
            (_STARTED[0], _STARTED[1] % "bib_number", _STARTED[2] % "{row}.first_name || ' ' || {row}.last_name"),
            finds=False,
        ),
    ),
    ("raceroster", "results"): (
        Whose("starter", (_STARTED[0], _STARTED[1] % "bib", _STARTED[2] % "{row}.name"), finds=False),
    ),
    ("copernico", "participants"): (_by("entry", "event_id", "participant_id"),),
    ("copernico", "results"): (_by("entry", "event_id", "participant_id"),),
}
"""The streams that hold persons' data, and by what beside its own key a row is somebody's."""

PERSONAL = tuple(stream for stream in STREAMS if (stream.provider, stream.name) in WHOSE)


def own(stream: Stream) -> Whose:
    """Return a row's own key."""
    return _by(stream.name, *stream.keys)


def everybody(stream: Stream) -> tuple[Whose, ...]:
    """Return all by what a row of a stream is somebody's, its own key first."""
    return (own(stream), *WHOSE[stream.provider, stream.name])


def named(provider: str, timing_partner_id: int, name: str, id_: str) -> str:
    """Return the text that is hashed."""
    return f"{provider}/{timing_partner_id}/{name}/{id_}"


# the key


@dataclass(frozen=True)
class Salt:
    """The key of the hashes, and what it is called."""

    salt_id: str
    key: bytes

    def hash(self, text: str) -> bytes:
        """Return the keyed hash of a text, the same that hub.forgotten_hash makes in a session that has `setting`."""
        return hmac.digest(self.key, text.encode(), "sha256")

    @property
    def setting(self) -> str:
        """Return what a session must be told: the inner and the outer padded key, in hexadecimal."""
        key = (self.key if len(self.key) <= BLOCK else hashlib.sha256(self.key).digest()).ljust(BLOCK, b"\0")
        return bytes(one ^ 0x36 for one in key).hex() + bytes(one ^ 0x5C for one in key).hex()


def _owner(salt_id: str) -> vault.Owner:
    return vault.Owner(0, "forgotten", salt_id)


def salt(cursor: Cursor) -> Salt | None:
    """Return the key in use; None before anybody was forgotten. Raises ActionNeeded where it cannot be opened."""
    # A hub that no run has brought up to date since there is forgetting has no table yet.
    cursor.execute("select to_regclass('hub.forgotten_salt') is not null")
    if cursor.fetchone() == (False,):
        return None
    cursor.execute("select salt_id, sealed, sealed_key_id from hub.forgotten_salt")
    row = cursor.fetchone()
    if row is None:
        return None
    salt_id, sealed, key_id = row
    return Salt(salt_id, bytes.fromhex(vault.open_(_owner(salt_id), sealed, key_id)["salt"]))


def made_salt(cursor: Cursor) -> Salt:
    """Return the key in use, made now where there is none; in the caller's transaction, which holds the lock on it."""
    if (found := salt(cursor)) is not None:
        return found
    made = Salt(secrets.token_hex(4), secrets.token_bytes(SALT_BYTES))
    sealed = vault.seal(_owner(made.salt_id), {"salt": made.key.hex()})
    cursor.execute(
        "insert into hub.forgotten_salt (salt_id, sealed, sealed_key_id) values (%s, %s, %s)", (made.salt_id, *sealed)
    )
    return made


def seal_anew(cursor: Cursor, new_key: str) -> None:
    """Seal the key of the hashes with another key of the vault; the hashes stay."""
    if (found := salt(cursor)) is not None:
        sealed = vault.seal(_owner(found.salt_id), {"salt": found.key.hex()}, new_key)
        cursor.execute("update hub.forgotten_salt set sealed = %s, sealed_key_id = %s", sealed)


def session_options(connection: Connection) -> str:
    """Return the libpq options (PGOPTIONS) that a loader's session needs; empty before anybody was forgotten."""
    with connection, connection.cursor() as cursor:
        try:
            found = salt(cursor)
        except ActionNeeded as error:
            raise ActionNeeded(f"the key by which forgotten persons are refused: {error}") from error
    return f"-c {SETTING}={found.setting}" if found else ""


# refusing


def install(cursor: Cursor) -> None:
    """Put the triggers that refuse on the raw tables of those providers and partners of whom somebody was forgotten.

    In the caller's transaction, which waits for loads under way. Cheap where nothing is to do.
    """
    cursor.execute("select to_regclass('hub.forgotten') is not null")
    if cursor.fetchone() == (False,):
        return
    cursor.execute("select provider, array_agg(distinct timing_partner_id) from hub.forgotten group by 1 order by 1")
    for provider, partners in cursor.fetchall():
        for stream in PERSONAL:
            if stream.provider == provider:
                _install(cursor, provider, stream.name, _refusing(stream), partners)
        for side in SIDE_STREAMS:
            _install(cursor, provider, side, _refusing_side(provider), partners)


def _install(cursor: Cursor, provider: str, stream: str, body: str, partners: list[int]) -> None:
    listed = ", ".join(str(partner) for partner in sorted(partners))
    name, table, mark = f"refuse_{provider}_{stream}", f"raw_{provider}.{stream}", fingerprint(f"{listed}\n{body}")
    cursor.execute(
        """
        select to_regclass(%(table)s) is null or exists (
            select from pg_trigger as t
            where t.tgrelid = to_regclass(%(table)s) and t.tgname = %(trigger)s
                and obj_description(t.tgfoid, 'pg_proc') = %(mark)s
        )
        """,
        {"table": table, "trigger": TRIGGER, "mark": mark},
    )
    if cursor.fetchone() == (True,):
        return
    function = f"hub.{name}"
    cursor.execute(
        sql.SQL(f"create or replace function {function}() returns trigger language plpgsql as {{}}").format(
            sql.Literal(body)
        )
    )
    cursor.execute(f"revoke execute on function {function}() from public")
    cursor.execute(sql.SQL(f"comment on function {function}() is {{}}").format(sql.Literal(mark)))
    # Rows of other partners are let by without a call.
    cursor.execute(
        f"create or replace trigger {TRIGGER} before insert on {table} for each row "
        f"when (new.timing_partner_id in ({listed})) execute function {function}()"
    )


_KNOWS_KEY = f"""
    if coalesce(current_setting('{SETTING}', true), '') = '' then
        raise exception 'this session cannot tell who of this partner was forgotten: load with p88 run or p88 with';
    end if;"""


def _hash_of(provider: str, name: str, id_: str) -> str:
    return f"hub.forgotten_hash('{provider}/' || new.timing_partner_id || '/' || {name} || '/' || {id_})"


def _refusing(stream: Stream) -> str:
    """Return the body of the trigger function of a stream with persons' data.

    A refused row is remembered under its own key as well, with the event that it is counted in.
    """
    hashes = [_hash_of(stream.provider, f"'{one.name}'", one.id_of("new")) for one in everybody(stream)]
    scope = f"new.{stream.scope_column}::text" if stream.by_event else "null"
    return f"""
declare
    whose bytea[];
begin{_KNOWS_KEY}
    whose := array[{", ".join(hashes)}];
    if not exists (select from hub.forgotten as f where f.key_hash = any(whose)) then
        return new;
    end if;
    insert into hub.forgotten as f (
        key_hash, salt_id, timing_partner_id, provider, stream, scope, forgotten_at, forgotten_by
    )
    select
        whose[1], k.salt_id, new.timing_partner_id, '{stream.provider}', '{stream.name}', {scope},
        statement_timestamp(), k.forgotten_by
    from hub.forgotten as k where k.key_hash = any(whose) limit 1
    on conflict (key_hash) do update set scope = excluded.scope where f.scope is distinct from excluded.scope;
    return null;
end
"""


def _refusing_side(provider: str) -> str:
    """Return the body of the trigger function of rejects and removals, which name a row of another stream."""
    return f"""
begin{_KNOWS_KEY}
    if exists (
        select from hub.forgotten as f
        where f.key_hash = {_hash_of(provider, "new.stream", "new.record_key")}
    ) then
        return null;
    end if;
    return new;
end
"""
