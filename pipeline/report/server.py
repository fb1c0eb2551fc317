"""Finds the report of the last run, and shows it to browsers of this machine."""

from __future__ import annotations

import http.server
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.pipeline.failures import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1"
REPORT_FILE = "report.html"
RUNS = Path("runs")  # where runs lie that name no output folder


def find(output: Path | None = None) -> Path:
    """Returns the report of the last run, absolute.

    Args:
      output: The folder of the run; None: the newest report of all in `runs/`.

    Raises:
      RunError: There is none.
    """
    if output is None:
        found = sorted(RUNS.glob(f"*/{REPORT_FILE}"), key=lambda path: path.stat().st_mtime)
        if not found:
            raise RunError(
                f"there is no report in {RUNS.absolute()}/*: name a configuration or --output DIR, "
                "or make a run: tandem run CONFIG"
            )
        return found[-1].absolute()
    report = output.absolute() / REPORT_FILE
    if not report.is_file():
        raise RunError(
            f"there is no report {report}: a run writes it when all its components are done; "
            "make one: tandem run CONFIG"
        )
    return report


def serve(report: Path, port: int, ready: Callable[[str], None]) -> None:
    """Serves one file, and nothing else, until Ctrl-C.

    The file is read for every request, so that a new run is seen by reloading the page.

    Args:
      report: The file.
      port: To listen on; 0: any that is free.
      ready: Told the address.

    Raises:
      RunError: The port cannot be used.
    """
    try:
        server = http.server.ThreadingHTTPServer((HOST, port), _handler(report))
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise RunError(f"port {port} of {HOST} cannot be used: {reason}; choose another with --port") from error
    with server:
        ready(f"http://{HOST}:{server.server_address[1]}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def _handler(report: Path) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers `/`."""

        def do_GET(self) -> None:
            """Sends the report."""
            # A page of somebody else's may have a name of its own for this machine; it is not let in by that.
            host = self.headers.get("Host", "").rpartition(":")[0]
            if host not in (HOST, "localhost"):
                self.send_error(403)
                return
            if self.path.partition("?")[0] not in ("/", f"/{REPORT_FILE}"):
                self.send_error(404)
                return
            try:
                content = report.read_bytes()
            except OSError:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the terminal quiet."""

    return Handler
