# SPDX-License-Identifier: Apache-2.0
"""The stand-in kubelet's servers: healthz in the clear on loopback, the rest by TLS and token."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HEALTHZ = ("127.0.0.1", 10248)
SERVING = ("0.0.0.0", 10250)
CERTIFICATE = Path("/var/lib/rancher/rke2/agent/serving-kubelet.crt")
KEY = Path("/var/lib/rancher/rke2/agent/serving-kubelet.key")
TOKEN = Path("/etc/e2e/token")  # of who may read everything here

Pages = Mapping[str, Callable[[], Any]]


class Server(ThreadingHTTPServer):
    """Answers GET with what the page of that path returns: text, or an object as JSON."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], pages: Pages, token: str | None) -> None:
        super().__init__(address, Handler)
        self.pages = pages
        self.token = token


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        token = self.server.token
        if token is not None and self.headers.get("Authorization") != f"Bearer {token}":
            return self.reply(401, "Unauthorized")
        page = self.server.pages.get(self.path)
        if page is None:
            return self.reply(404, "404 page not found")
        return self.reply(200, page())

    def reply(self, code: int, content: Any) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        data = text.encode()
        self.send_response(code)
        kind = "text/plain" if isinstance(content, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a kubelet does not log its requests."""


def serve(server: Server) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()


def start(pages: Pages) -> None:
    serve(Server(HEALTHZ, {"/healthz": lambda: "ok"}, None))
    secure = Server(SERVING, pages, TOKEN.read_text(encoding="ascii").strip())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    # The handshake is left to the thread of the connection.
    secure.socket = context.wrap_socket(
        secure.socket, server_side=True, do_handshake_on_connect=False
    )
    serve(secure)
