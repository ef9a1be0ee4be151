"""Types and tables: those of target-postgres, with instants that keep their offset."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from singer_sdk.sql.connector import JSONSchemaToSQL
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine.url import make_url
from sqlalchemy.types import DECIMAL, TypeEngine
from target_postgres.connector import PostgresConnector
from target_postgres.driver import PSYCOPG3

LARGEST = 2**63 - 1


class Instant(TIMESTAMP):
    """An instant: `timestamp with time zone`."""

    def __init__(self) -> None:
        """Keep the zone."""
        super().__init__(timezone=True)


class HubConnector(PostgresConnector):
    """Makes and alters tables as target-postgres does."""

    def get_sqlalchemy_url(self, config: Mapping[str, Any]) -> str:
        """Return the address with psycopg 3, which is what COPY is written for."""
        url = make_url(super().get_sqlalchemy_url(config)).set(drivername=PSYCOPG3)
        return url.render_as_string(hide_password=False)

    @cached_property
    def jsonschema_to_sql(self) -> JSONSchemaToSQL:
        """Return how types are chosen: instants keep their offset."""
        types = super().jsonschema_to_sql
        types.register_format_handler("date-time", Instant)
        return types

    def _handle_integer_type(self, jsonschema: dict[str, Any]) -> Any:
        bounds = (jsonschema.get("minimum"), jsonschema.get("maximum"))
        if any(bound is not None and abs(bound) > LARGEST for bound in bounds):
            return DECIMAL()
        return super()._handle_integer_type(jsonschema)

    def merge_sql_types(self, sql_types: Any) -> TypeEngine:
        """Return the type for a column whose schema asks for another one than it has.

        A column that is already wide enough stays: an instant in a column without a zone is stored as UTC, and
        one that became numeric for a number beyond 64 bits is not narrowed again.
        """
        current, asked = sql_types[0], sql_types[-1]
        if isinstance(current, TIMESTAMP) and isinstance(asked, TIMESTAMP):
            return current
        return super().merge_sql_types(sql_types)
