"""The dbt project's own tests, on a season that went through the whole path."""

import subprocess

import pytest

from project88 import docs_site, transform
from tests.pipeline.harness import CHECKOUT, Hub


@pytest.fixture
def dbt(loaded: Hub, monkeypatch):
    """Run a dbt command against the loaded hub."""
    monkeypatch.setenv("P88_HOME", str(loaded.home))

    def run(*arguments: str):
        return transform.dbt(loaded.dsn, *arguments)

    return run


def test_every_story_of_the_models_holds(dbt):
    done = dbt("test", "--select", "test_type:unit")

    assert done.returncode == 0, done.stdout[-3000:]


def test_the_season_passes_every_data_test_and_equals_a_full_build(dbt):
    done = dbt("test", "--exclude-resource-type", "unit_test")

    assert done.returncode == 0, done.stdout[-3000:]


def test_the_docs_site_holds_every_published_relation_and_the_gate_s_reports(loaded, monkeypatch):
    monkeypatch.setenv("P88_HOME", str(loaded.home))

    folder = docs_site.build(loaded.dsn)

    manifest = (folder / "manifest.json").read_text(encoding="utf-8")
    assert (folder / "index.html").stat().st_size > 100_000
    assert (folder / "gate" / "index.html").is_file()
    for relation in ("unified_events", "unified_participants", "unified_results", "participant_tracking"):
        assert f"model.project88.{relation}" in manifest


@pytest.mark.skipif(
    not (CHECKOUT / ".venv-lab" / "bin" / "jupyter").exists(), reason="the lab's environment is made by `make test`"
)
@pytest.mark.parametrize("notebook", sorted((CHECKOUT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(notebook, loaded, tmp_path):
    done = subprocess.run(
        [
            str(CHECKOUT / ".venv-lab" / "bin" / "jupyter"), "nbconvert", "--to", "html", "--execute", str(notebook),
            "--output-dir", str(tmp_path),
        ],
        env=loaded.environment | {"P88_NOTEBOOK_URL": loaded.dsn},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:]
    assert "data:image/png" in next(tmp_path.glob("*.html")).read_text(encoding="utf-8")


@pytest.mark.skipif(
    not (CHECKOUT / ".venv-lab" / "bin" / "nbstripout").exists(), reason="the lab's environment is made by `make test`"
)
def test_notebooks_are_kept_without_outputs():
    notebooks = [str(path) for path in (CHECKOUT / "notebooks").glob("*.ipynb")]

    done = subprocess.run(
        [str(CHECKOUT / ".venv-lab" / "bin" / "nbstripout"), "--verify", *notebooks],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
