"""What the notebooks share: asking the published data as a reader, and plots that look alike.

Runs in the lab's environment (.venv-lab), which has pandas and matplotlib and not the application's libraries: this
module imports nothing of the application.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pandas as pd
import sqlalchemy as sa

# Told apart by people who do not see all colours alike (Okabe and Ito), and the same in every notebook.
COLOURS = {
    "runsignup": "#0072b2",
    "raceroster": "#e69f00",
    "haku": "#009e73",
    "letsdothis": "#cc79a7",
    "chronotrack": "#d55e00",
    "copernico": "#56b4e9",
}
OTHER = "#7f7f7f"
NOTHING = (
    "There is nothing here yet: nothing has been published that this reader may see. Run `p88 run` (or `make run`)."
)


@cache
def _engine() -> sa.Engine:
    url = sa.make_url(os.environ["P88_NOTEBOOK_URL"]).set(drivername="postgresql+psycopg2")
    return sa.create_engine(url, connect_args={"options": "-c search_path=unified -c timezone=UTC"})


def ask(query: str, **values: Any) -> pd.DataFrame:
    """Return what a query finds, asked in a transaction that only reads, as the role in P88_NOTEBOOK_ROLE.

    Without that role it is asked as the user of P88_NOTEBOOK_URL: a partner who has a login of its own. A hub in which
    nothing was ever published has neither roles nor relations, and a partner who came after the last publish has no
    role yet: the answer is then an empty frame.
    """
    role = os.environ.get("P88_NOTEBOOK_ROLE")
    with _engine().connect() as connection, connection.begin():
        connection.execute(sa.text("set transaction read only"))
        is_there = connection.execute(
            sa.text(
                "select to_regclass('unified.participant_tracking') is not null"
                " and (cast(:role as text) is null or exists (select from pg_roles where rolname = :role))"
            ),
            {"role": role},
        )
        if not is_there.scalar_one():
            return pd.DataFrame()
        if role:
            quoted = connection.dialect.identifier_preparer.quote(role)
            connection.execute(sa.text(f"set local role {quoted}"))
        return pd.read_sql(sa.text(query), connection, params=values)


def colour(provider: str) -> str:
    """Return a provider's colour; grey for one that came later."""
    return COLOURS.get(provider, OTHER)


def listed(names: list[str]) -> str:
    """Return names as a sentence lists them: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def share(part: float, whole: float) -> str:
    """Return a part as a whole percentage; `no part` where there is no whole."""
    return f"{100 * part / whole:.0f} %" if whole else "no part"


def plain(axes: Any, *, title: str, x: str = "", y: str = "") -> None:
    """Give a plot its words and take away what says nothing."""
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)


def say(text: str) -> None:
    """Show a sentence, in Markdown, where a cell stands."""
    from IPython.display import Markdown, display

    display(Markdown(text))
