"""The database in use: the embedded one, or any PostgreSQL 15 or newer by `P88_DATABASE_URL`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from project88.errors import ActionNeeded

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

OLDEST_SERVER = 150000


def database_url() -> str:
    """Return the libpq URL in use; starts the embedded server where it is the one and not running.

    Raises ActionNeeded when the setting is no PostgreSQL address or the embedded server cannot start.
    """
    given = os.environ.get("P88_DATABASE_URL", "").strip()
    if not given:
        from project88.db import embedded

        return embedded.start()
    # SQLAlchemy's way of naming a driver is common in such settings; libpq does not know it.
    scheme, _, rest = given.partition("://")
    if scheme.split("+")[0] not in {"postgresql", "postgres"} or not rest:
        raise ActionNeeded("P88_DATABASE_URL is not a PostgreSQL address; write postgresql://user@host:5432/database")
    return f"postgresql://{rest}"


def connect(dsn: str | None = None) -> Connection:
    """Return a connection whose session is in UTC.

    Raises ActionNeeded when the server cannot be reached or is too old.
    """
    dsn = dsn or database_url()
    try:
        connection = psycopg2.connect(dsn, connect_timeout=15, application_name="p88", options="-c timezone=UTC")
    except psycopg2.OperationalError as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no answer"
        raise ActionNeeded(f"no database at {without_password(dsn)}: {reason}; check P88_DATABASE_URL") from error
    if connection.server_version < OLDEST_SERVER:
        connection.close()
        raise ActionNeeded(f"the server at {without_password(dsn)} is older than PostgreSQL 15; use a newer one")
    return connection


def without_password(dsn: str) -> str:
    """Return a DSN that may be shown."""
    try:
        parts = parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        return "the given address"
    parts.pop("password", None)
    return make_dsn(**parts)


def parts(dsn: str) -> dict[str, str]:
    """Return host, port, user, password and dbname of a DSN, empty text where it has none."""
    found = parse_dsn(dsn)
    return {key: found.get(key, "") for key in ("host", "port", "user", "password", "dbname")}


def sqlalchemy_url(dsn: str, driver: str) -> str:
    """Return a SQLAlchemy URL that names its driver (what `postgresql://` means depends on SQLAlchemy's version)."""
    split = urlsplit(dsn)
    return dsn.replace(f"{split.scheme}://", f"postgresql+{driver}://", 1)
