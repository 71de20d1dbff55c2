# SPDX-License-Identifier: Apache-2.0
"""Runs what the test run asks for, over a virtio-serial port: one JSON object a line each way.

Asked: {"id", "argv", "stdin" (base64), "timeout"}. Answered: {"id", "code", "out" (base64), "took",
"now"}, where out is what the command wrote to both its outputs, code is None when it did not end in
time, and now is this machine's clock in seconds since boot. Asked {"id", "read"} for a file, it
answers without a process, code 1 when there is none; asked {"id", "sleep"}, after that many seconds.
Asked {"id", "reset"}, the machine starts anew at once, and nothing of its memory gets to the disk.
The first line of each boot is {"boot": ID}. It stays resident, to answer while the machine thrashes.
"""

import base64
import ctypes
import json
import os
import signal
import subprocess
import time
from typing import Any

PORT = "/dev/virtio-ports/e2e"
MCL_CURRENT, MCL_FUTURE = 1, 2


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Runs one command; a late one is killed with all it started."""
    process = subprocess.Popen(
        request["argv"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    code: int | None
    try:
        out, _ = process.communicate(base64.b64decode(request["stdin"]), request["timeout"])
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        code = None
    return {"code": code, "out": base64.b64encode(out).decode()}


def read(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        return {"code": 0, "out": base64.b64encode(file.read()).decode()}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    begun = now()
    found: dict[str, Any] = {}
    try:
        if "reset" in request:
            with open("/proc/sysrq-trigger", "w", encoding="ascii") as trigger:
                trigger.write("b")
        elif "sleep" in request:
            time.sleep(request["sleep"])
        else:
            found = read(request["read"]) if "read" in request else run(request)
    except OSError as error:
        found = {"code": 1, "out": base64.b64encode(str(error).encode()).decode()}
    return found | {"id": request["id"], "took": now() - begun, "now": now()}


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def send(port: int, data: bytes) -> None:
    while data:
        data = data[os.write(port, data) :]


def main() -> None:
    ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_FUTURE)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    port = os.open(PORT, os.O_RDWR)  # it takes one opener only
    # A reset may have cut the last line short.
    send(port, b"\n" + json.dumps({"boot": boot}).encode() + b"\n")
    pending = b""
    while received := os.read(port, 65536):
        pending += received
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            send(port, json.dumps(answer(json.loads(line))).encode() + b"\n")


if __name__ == "__main__":
    main()
