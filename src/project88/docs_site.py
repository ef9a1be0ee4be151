"""The dbt docs site, with the gate's data docs beside it."""

from __future__ import annotations

import functools
import http.server
import shutil
import socketserver
from collections.abc import Callable
from pathlib import Path

from project88 import settings, transform
from project88.errors import ActionNeeded

PAGES = ("index.html", "manifest.json", "catalog.json")


def build(dsn: str) -> Path:
    """Build the site into the folder of local state and return that folder. Raises ActionNeeded when dbt cannot."""
    done = transform.dbt(dsn, "docs", "generate", "--quiet")
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["no output"]
        raise ActionNeeded(f"dbt docs could not be built: {lines[-1].strip()}; `p88 run` makes what they describe")
    folder = settings.home() / "docs"
    folder.mkdir(exist_ok=True)
    for page in PAGES:
        shutil.copy(settings.private_folder("dbt", "target") / page, folder / page)
    return folder


def serve(folder: Path, port: int, *, say: Callable[[str], None]) -> None:
    """Serve a folder on loopback until Ctrl-C. Raises ActionNeeded when the port is taken."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each page."""

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True
        allow_reuse_address = True

    try:
        server = Server(("127.0.0.1", port), functools.partial(Quiet, directory=str(folder)))
    except OSError as error:
        raise ActionNeeded(f"port {port} is taken; try p88 docs --port {port + 1}") from error
    say(f"dbt docs:         http://127.0.0.1:{server.server_address[1]}/")
    say(f"gate's data docs: http://127.0.0.1:{server.server_address[1]}/gate/")
    say("Ctrl-C ends it")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
