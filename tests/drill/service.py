"""A service of one file for drills: `service.py FOLDER PORT`; the files in FOLDER say what it answers.

`version` holds the commit that it tells, `maintenance` closes the door for all but 127.0.0.2, `broken` lets every
answer be 500.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main(folder: Path, port: int) -> None:
    """Serve until killed."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            operator = self.client_address[0] == "127.0.0.2"
            closed = (folder / "maintenance").exists() and not operator and self.path != "/health"
            status = 503 if closed else 500 if (folder / "broken").exists() else 200
            body = json.dumps({"commit": (folder / "version").read_text().strip(), "status": status}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/problem+json" if closed else "application/json")
            self.send_header("Content-Length", str(len(body)))
            if closed:
                self.send_header("Retry-After", "60")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *words: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
