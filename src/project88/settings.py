"""Where things are: the checkout, the folder of local state, the environment of child processes."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

# A socket's whole path must stay under 108 bytes on Linux (104 on macOS), its own name included.
LONGEST_SOCKET_FOLDER = 80


def home() -> Path:
    """Return the folder of all local state (`P88_HOME`, default `.p88` in the checkout), made where missing."""
    folder = Path(os.environ.get("P88_HOME") or CHECKOUT / ".p88").expanduser().absolute()
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        # As root the server runs as another user, who must be able to pass through to its own folder.
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return folder


def private_folder(*parts: str) -> Path:
    """Return a folder below the local state that only this user can read."""
    folder = home().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(stat.S_IRWXU)
    return folder


def short_folder(name: str) -> Path:
    """Return a folder with a short path without spaces: below the local state where that fits, else a temporary one."""
    inside = home() / name
    if len(str(inside)) <= LONGEST_SOCKET_FOLDER and " " not in str(inside):
        folder = inside
    else:
        digest = hashlib.sha256(str(home()).encode()).hexdigest()[:10]
        folder = Path(tempfile.gettempdir()) / f"p88-{os.geteuid()}-{digest}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid not in {os.geteuid(), *_server_user_ids()}:
        raise PermissionError(f"{folder} belongs to somebody else; remove it or set TMPDIR to a folder of your own")
    return folder


def _server_user_ids() -> set[int]:
    if os.geteuid() != 0:
        return set()
    import pwd

    try:
        return {pwd.getpwnam("pgserver").pw_uid}
    except KeyError:
        return set()


def memory_folder() -> Path:
    """Return a private folder for what must not reach a disk: in memory where the machine has such a place."""
    shared = Path("/dev/shm")  # noqa: S108
    digest = hashlib.sha256(str(home()).encode()).hexdigest()[:10]
    if shared.is_dir() and os.access(shared, os.W_OK):
        folder = shared / f"p88-{os.geteuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(0o700)
            return folder
    return private_folder("memory")


def executable(name: str) -> str:
    """Return the path of a program of our own environment."""
    return str(Path(sys.executable).parent / name)


def child_environment() -> dict[str, str]:
    """Return the environment for child processes: our programs first on the path, bytecode allowed."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    # Bytecode was compiled at set-up; with this set every child would compile what is not, again and again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONUNBUFFERED"] = "1"
    return environment
