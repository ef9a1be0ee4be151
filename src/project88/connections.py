"""Timing partners and their connections: rows in schema hub; credentials sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from project88 import vault
from project88.errors import ActionNeeded
from project88.persons import forgotten

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812


# By whatever way they come in, these are sealed.
SECRET_SETTINGS = {"api_key", "api_secret", "api_reg_secret", "password", "client_secret", "refresh_token"}


@dataclass(frozen=True)
class HubConnection:
    """A partner's account with a provider."""

    connection_id: int
    timing_partner_id: int
    partner: str
    slug: str
    provider: str
    account: str
    settings: dict[str, Any] = field(repr=False)
    sealed: str = field(repr=False)
    key_id: str | None = None

    @property
    def title(self) -> str:
        """How people call it."""
        return f"{self.slug} · {self.provider}" + ("" if self.account == "main" else f" · {self.account}")

    @property
    def state_suffix(self) -> str:
        """What sets its Meltano state apart (no colon: Meltano splits there)."""
        return f"partner{self.timing_partner_id}-{self.account}"

    def secrets(self) -> dict[str, str]:
        """Return its credentials, for the length of one run."""
        return vault.open_(self._owner(), self.sealed, self.key_id)

    def _owner(self) -> vault.Owner:
        return vault.Owner(self.timing_partner_id, self.provider, self.account)

    def tap_environment(self) -> dict[str, str]:
        """Return the tap's settings and credentials as environment variables."""
        prefix = f"TAP_{self.provider.upper()}_"
        values = {**self.settings, **self.secrets(), "timing_partner_id": self.timing_partner_id}
        return {prefix + key.upper(): _as_text(value) for key, value in values.items() if value is not None}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def add_partner(connection: Connection, *, slug: str, name: str, timing_partner_id: int | None = None) -> int:
    """Add a timing partner, or find it by its slug; returns its id."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select timing_partner_id from hub.timing_partners where slug = %s", (slug,))
        row = cursor.fetchone()
        if row:
            return int(row[0])
        if timing_partner_id is None:
            cursor.execute("select coalesce(max(timing_partner_id), 0) + 1 from hub.timing_partners")
            found = cursor.fetchone()
            timing_partner_id = int(found[0]) if found else 1
        cursor.execute(
            "insert into hub.timing_partners (timing_partner_id, company_name, slug) values (%s, %s, %s)",
            (timing_partner_id, name, slug),
        )
    return timing_partner_id


def partner_id(connection: Connection, name: str) -> int:
    """Return the id of the timing partner that a slug or an id names. Raises ActionNeeded where there is none."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select timing_partner_id from hub.timing_partners where slug = %s or timing_partner_id::text = %s"
            " order by slug <> %s limit 1",
            (name, name, name),
        )
        row = cursor.fetchone()
    if row is None:
        raise ActionNeeded(f"there is no timing partner {name}; `p88 partner list` shows them")
    return int(row[0])


def save(
    connection: Connection,
    *,
    timing_partner_id: int,
    provider: str,
    settings: dict[str, Any],
    secrets: dict[str, str],
    account: str = "main",
) -> None:
    """Add a connection or replace its settings and credentials."""
    secrets = {name: value for name, value in settings.items() if name in SECRET_SETTINGS} | secrets
    settings = {name: value for name, value in settings.items() if name not in SECRET_SETTINGS}
    sealed, key_id = vault.seal(vault.Owner(timing_partner_id, provider, account), secrets)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into hub.connections
                (timing_partner_id, provider_name, account, settings, secrets, secrets_key_id, enabled)
            values (%s, %s, %s, %s, %s, %s, true)
            on conflict (timing_partner_id, provider_name, account) do update
            set settings = excluded.settings, secrets = excluded.secrets,
                secrets_key_id = excluded.secrets_key_id, enabled = true
            """,
            (timing_partner_id, provider, account, Json(settings), sealed, key_id),
        )


def seal_anew(connection: Connection, new_key: str) -> int:
    """Seal every connection's credentials, and the key of what was forgotten, with another key, all or none.

    Returns how many connections there were.

    Raises ActionNeeded where one cannot be opened with the key in use, or the new one is no key.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select connection_id, timing_partner_id, provider_name, account, secrets, secrets_key_id "
            "from hub.connections where secrets is not null order by connection_id for update"
        )
        rows = cursor.fetchall()
        for connection_id, timing_partner_id, provider, account, sealed, key_id in rows:
            owner = vault.Owner(timing_partner_id, provider, account)
            secrets = vault.open_(owner, sealed, key_id)
            cursor.execute(
                "update hub.connections set secrets = %s, secrets_key_id = %s where connection_id = %s",
                (*vault.seal(owner, secrets, new_key), connection_id),
            )
        forgotten.seal_anew(cursor, new_key)
    return len(rows)


def enabled(connection: Connection, *, partner: str | None = None, provider: str | None = None) -> list[HubConnection]:
    """Return the connections in use, narrowed by partner (slug or id) and provider.

    Raises ActionNeeded when there is none.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select c.connection_id, c.timing_partner_id, p.company_name, p.slug, c.provider_name, c.account,
                c.settings, c.secrets, c.secrets_key_id
            from hub.connections c
            join hub.timing_partners p using (timing_partner_id)
            where c.enabled
                and (%(partner)s::text is null or p.slug = %(partner)s or p.timing_partner_id::text = %(partner)s)
                and (%(provider)s::text is null or c.provider_name = %(provider)s)
            order by c.timing_partner_id, c.provider_name, c.account
            """,
            {"partner": partner, "provider": provider},
        )
        found = [HubConnection(*row) for row in cursor.fetchall()]
    if not found:
        asked = " and ".join(
            text for text in (partner and f"partner {partner}", provider and f"provider {provider}") if text
        )
        raise ActionNeeded(
            f"there is no enabled connection{' for ' + asked if asked else ''}; "
            "`p88 connection list` shows what there is, `p88 connection add --help` adds one"
        )
    return found
