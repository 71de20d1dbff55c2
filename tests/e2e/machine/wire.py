# SPDX-License-Identifier: Apache-2.0
"""JSON objects, one a line, over a Unix socket."""

import json
import socket
import time
from pathlib import Path
from typing import Any


class Late(Exception):
    """Nothing came in time."""


class Wire:
    """One connection. Lines that are no JSON object (cut short by a reset) are passed over."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._pending = b""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._socket.connect(str(path))
                return
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if time.monotonic() > deadline:
                    raise Late(f"nobody listens on {path}") from error
                time.sleep(0.05)

    def close(self) -> None:
        self._socket.close()

    def send(self, message: dict[str, Any]) -> None:
        self._socket.settimeout(None)
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, deadline: float) -> dict[str, Any]:
        """The next object. Raises Late at the deadline, ConnectionError at the other's end."""
        while True:
            while b"\n" in self._pending:
                line, _, self._pending = self._pending.partition(b"\n")
                try:
                    message = json.loads(line)
                except ValueError:
                    continue
                if isinstance(message, dict):
                    return message
            self._fill(deadline)

    def _fill(self, deadline: float) -> None:
        self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            received = self._socket.recv(1 << 16)
        except TimeoutError as error:
            raise Late("no answer in time") from error
        if not received:
            raise ConnectionError("the machine ended")
        self._pending += received
