"""Great Expectations as the gate uses it: one context per run, two passes per suite, static data docs."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, cast

from psycopg2.extensions import parse_dsn

from expectations.rules import ROW_COLUMNS, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from expectations.rules import SuiteModule

SAMPLES = 20  # keys that a result and its page show; the quarantine gets all of them by the query
_URL = "P88_GATE_URL"
_OUTSIDE = re.compile(
    r"<link[^>]*href=[\"']https?://[^>]*>|<script[^>]*src=[\"']https?://[^>]*>\s*</script>"
    r"|<img[^>]*src=[\"']https?://[^>]*>",
    re.IGNORECASE,
)
_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
td, th { border: 1px solid #ccc; padding: .3rem .5rem; text-align: left; vertical-align: top; }
pre { white-space: pre-wrap; } a { color: #0b57a4; } nav ol { list-style: none; padding: 0; }
.modal, .fas, .far { display: none; } .badge { background: #eee; padding: 0 .3rem; border-radius: .2rem; }
</style>"""


@dataclass(frozen=True)
class Outcome:
    """What one expectation of a suite came to."""

    rule: Rule
    success: bool
    error: str | None = None
    failing_rows: str | None = None  # "from … where …" of a row-level rule
    value_column: str | None = None
    groups: tuple[dict[str, Any], ...] = ()  # one per partner and provider, of a rule over many rows


def address(dsn: str) -> str:
    """Return the SQLAlchemy address of a libpq one, with the driver named and sockets understood."""
    from sqlalchemy import URL

    parts = {key: str(value) for key, value in parse_dsn(dsn).items()}
    host = parts.pop("host", None)
    port = parts.pop("port", None)
    # A folder is a Unix socket; SQLAlchemy takes that as a parameter, never as the host of the address.
    plain = host if host and not host.startswith("/") and "," not in host else None
    if host and plain is None:
        parts["host"] = host
        if port:
            parts["port"] = port
            port = None
    url = URL.create(
        "postgresql+psycopg2",
        username=parts.pop("user", None),
        password=parts.pop("password", None),
        host=plain,
        port=int(port) if port else None,
        database=parts.pop("dbname", None),
        query=parts,
    )
    # The context fills in ${…} once more; a $ of a password must not look like that.
    return url.render_as_string(hide_password=False).replace("$", "%24")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence remarks about our use of an API that its authors would rather see in their cloud."""
    noisy = logging.getLogger("great_expectations")
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            noisy.setLevel(level)


class Session:
    """One run of the gate in Great Expectations."""

    def __init__(self, dsn: str, now: datetime) -> None:
        """Open a context whose data source sees the views of schema `gate`."""
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        with _quiet():
            import great_expectations as gx
            from great_expectations.core.run_identifier import RunIdentifier
            from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

            # The address stays out of the stored configuration, and so out of every page and message.
            self._context = cast(
                "Any",
                gx.get_context(
                    mode="ephemeral",
                    project_config=DataContextConfig(
                        analytics_enabled=False,
                        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
                    ),
                    runtime_environment={_URL: address(dsn)},
                ),
            )
            self._context.enable_analytics(False)
            self._context.variables.progress_bars = {"globally": False}
            self._source = self._context.data_sources.add_postgres(
                "warehouse",
                connection_string="${" + _URL + "}",
                kwargs={"connect_args": {"options": "-c search_path=gate -c timezone=UTC"}},
            )
        self._run_id = RunIdentifier(run_time=now)

    def close(self) -> None:
        """Give the connections back."""
        with contextlib.suppress(Exception):
            self._source.get_execution_engine().engine.dispose()
            self._source.get_engine().dispose()

    def judge(self, module: SuiteModule) -> list[Outcome]:
        """Run one suite over its view."""
        import great_expectations as gx

        with _quiet():
            data = self._source.add_table_asset(module.NAME).add_batch_definition_whole_table("all")
            suite = self._context.suites.add(module.suite())
            definition = self._context.validation_definitions.add(
                gx.ValidationDefinition(name=module.NAME, data=data, suite=suite)
            )
            # First pass: every expectation of the suite in one query, yes or no.
            result = definition.run(result_format="BOOLEAN_ONLY", run_id=self._run_id)
            failed = [entry for entry in result.results if not entry.success]
            details = self._look_closer(module, definition, failed) if failed else {}
        outcomes = []
        for entry in result.results:
            rule = Rule.of(entry.expectation_config.meta)
            outcomes.append(_outcome(rule, entry, details.get(rule.name)))
        return outcomes

    def _look_closer(self, module: SuiteModule, definition: Any, failed: list[Any]) -> dict[str, Any]:
        """Run the failed expectations again, with keys; put what they found into the stored result."""
        from great_expectations.validator.v1_validator import Validator

        names = {entry.expectation_config.meta["rule"] for entry in failed}
        keyed = getattr(module, "RELATION", "") != ""
        form: dict[str, Any] = {"result_format": "COMPLETE", "partial_unexpected_count": SAMPLES}
        if keyed:
            # Keys, never values: names and birth dates do not belong on a page.
            form |= {"unexpected_index_column_names": list(ROW_COLUMNS), "exclude_unexpected_values": True}
        validator = Validator(batch_definition=definition.data, result_format=form)
        details: dict[str, Any] = {}
        for expectation in definition.suite.expectations:
            if expectation.meta["rule"] in names:
                details[expectation.meta["rule"]] = validator.validate_expectation(expectation)
        self._store(definition, details)
        return details

    def _store(self, definition: Any, details: dict[str, Any]) -> None:
        """Put the detailed results in the place of the plain ones, without values, for the data docs."""
        store = self._context.validation_results_store
        for key in store.list_keys():
            stored = store.get(key)
            if stored.suite_name != definition.suite.name:
                continue
            for entry in stored.results:
                detail = details.get(entry.expectation_config.meta["rule"])
                if detail is not None and not detail.exception_info.get("raised_exception"):
                    entry.result = _presentable(detail.result)
            store.set(key, stored)

    def write_docs(self, folder: Path) -> None:
        """Write the site of this run into `folder`, replacing an earlier one at one stroke."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        made.chmod(0o755)
        with _quiet():
            self._context.add_data_docs_site(
                "gate",
                {
                    "class_name": "SiteBuilder",
                    "show_how_to_buttons": False,
                    "store_backend": {
                        "class_name": "TupleFilesystemStoreBackend",
                        "base_directory": str(made),
                    },
                    "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                },
            )
            self._context.build_data_docs(site_names=["gate"])
        for page in made.rglob("*.html"):
            page.write_text(_closed(page.read_text(encoding="utf-8")), encoding="utf-8")
        old = folder.with_name(f".{folder.name}-old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        made.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _presentable(result: dict[str, Any]) -> dict[str, Any]:
    """Return a detailed result with keys where values would stand, and without the query over a dropped view."""
    kept = {name: value for name, value in result.items() if not name.startswith(("unexpected_", "partial_"))}
    for name in ("unexpected_count", "unexpected_percent"):
        if name in result:
            kept[name] = result[name]
    sampled = result.get("partial_unexpected_index_list") or []
    keys: set[str] = set()
    for group in sampled:
        found = group["row_key"]
        keys.update(found if isinstance(found, list) else [found])
    if keys:
        kept["partial_unexpected_list"] = sorted(keys)
    return kept


def _closed(html: str) -> str:
    """Return the page without anything fetched from elsewhere, readable in a closed network."""
    html = html.replace("Sampled Unexpected Values", "Keys of such rows")
    return _OUTSIDE.sub("", html).replace("</head>", f"{_STYLE}</head>", 1)


def _outcome(rule: Rule, entry: Any, detail: Any) -> Outcome:
    """Return what an expectation came to, from its plain and its detailed result."""
    for result in (entry, detail):
        if result is not None and result.exception_info.get("raised_exception", False):
            return Outcome(rule, success=False, error=_first_line(str(result.exception_info["exception_message"])))
        error = _nested_error(result)
        if error is not None:
            return Outcome(rule, success=False, error=error)
    if entry.success or (detail is not None and detail.success):
        return Outcome(rule, success=True)
    query = detail.result.get("unexpected_index_query")
    if query:
        # "SELECT <keys>, <column> FROM gate.<view> WHERE <what fails>;"
        columns, _, rest = query.partition("FROM ")
        value = columns.rsplit(",", 1)[-1].strip() if rule.shows_value else None
        return Outcome(rule, success=False, failing_rows="from " + rest.strip().rstrip(";"), value_column=value)
    rows = detail.result.get("details", {}).get("unexpected_rows", [])
    return Outcome(rule, success=False, groups=tuple(dict(row) for row in rows))


def _nested_error(result: Any) -> str | None:
    """Return the message of an error that sits below a metric's id, where GX keeps it."""
    if result is None:
        return None
    for info in result.exception_info.values():
        if isinstance(info, dict) and info.get("raised_exception"):
            return _first_line(str(info.get("exception_message")))
    return None


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0][:300] if message.strip() else "unknown error"
