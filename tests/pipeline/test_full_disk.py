"""A disk that fills while a season is loaded, and connections that are cut: told in one line, nothing damaged."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Server, embedded_programs, fresh_database, running_server
from tests.pipeline.conftest import connect_all
from tests.pipeline.harness import Hub, Sandbox, children_named, wait_for

DISK_MB = 260
LEFT_BYTES = 3 << 20


@pytest.fixture(scope="module")
def small_disk() -> Iterator[Path]:
    """A file system that is soon full; needs the right to mount one."""
    place = Path(tempfile.mkdtemp(prefix="p88-disk-", dir="/tmp"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0711", "tmpfs", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        place.rmdir()
        pytest.skip(f"no right to mount a small disk: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)
    place.rmdir()


@pytest.fixture
def hub(small_disk: Path, sandbox: Sandbox, tmp_path: Path) -> Iterator[tuple[Hub, Server]]:
    """A hub with connections and nothing loaded, its database on the small disk."""
    home = tmp_path / "home"
    home.mkdir(mode=0o711)
    sandbox.reset()
    with (
        running_server(embedded_programs(), over_tcp=False, below=str(small_disk)) as server,
        fresh_database(server) as dsn,
    ):
        made = Hub(dsn, home, sandbox)
        connect_all(made)
        yield made, server


@pytest.mark.slow
def test_a_full_disk_is_told_and_loading_goes_on_when_there_is_room(hub, small_disk):
    made, server = hub
    made.checkpoint()
    filler = small_disk / "filler"
    _fill(filler, small_disk)

    done = made.p88("run", "--partner", "harbour", check=False)

    told = done.stdout + done.stderr
    assert done.returncode == 1, told
    assert "No space left on device" in told or "disk" in told, told
    assert "Traceback" not in told, told
    filler.unlink()
    assert server.process is not None
    if server.process.poll() is not None:
        # Without room for its log a server ends; whoever runs it starts it again.
        server.start()
    made.p88("run", "--partner", "harbour")
    made.assert_raw_equals_holds(partners=(1,))
    assert made.ask("select sum(unaccounted) from candidate.reconciliation") == [(0,)]


@pytest.mark.slow
def test_connections_that_are_cut_while_loading_are_told_and_the_next_run_goes_on(hub):
    made, _ = hub
    running = made.start("run", "--partner", "harbour")
    assert wait_for(lambda: children_named(running.pid, "target-hub") or running.poll() is not None, 60)
    cut = wait_for(
        lambda: (
            made.ask(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid()"
                " and datname = current_database() and query ilike any (array['%%copy%%', '%%insert into%%raw_%%'])"
            )[0][0]
            or running.poll() is not None
        ),
        60,
    )
    told, _ = running.communicate(timeout=300)

    assert cut
    assert running.returncode in {0, 1}, told
    assert "Traceback" not in told, told
    made.p88("run", "--partner", "harbour")
    made.assert_raw_equals_holds(partners=(1,))


def _fill(filler: Path, disk: Path) -> None:
    """Take all room but a little."""
    with filler.open("wb") as file:
        while (free := shutil.disk_usage(disk).free) > LEFT_BYTES:
            file.write(b"\0" * min(1 << 20, free - LEFT_BYTES))
            file.flush()
