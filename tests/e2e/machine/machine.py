# SPDX-License-Identifier: Apache-2.0
"""The machine as a scenario sees it. All times are those of the machine's own clock (see qemu.py)."""

import base64
import itertools
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from . import qemu
from .wire import Late, Wire

T = TypeVar("T")
# Of the host's clock, and only for a machine that hangs: a busy one is slow, and an idle one fast.
BOOT_SECONDS = 600
ANSWER_SECONDS = 1200


class Outcome(NamedTuple):
    code: int | None  # None: did not end in time
    out: str


class Failed(Exception):
    """A command in the machine, or a state waited for, did not turn out as it should."""


class Machine:
    """A running machine. Use as a context: it ends with the block.

    scratch holds its disk and its sockets, whose paths have to be short; logs what it says.
    """

    def __init__(
        self,
        image: Path,
        payload: Path,
        scratch: Path,
        logs: Path,
        disk: Path | None = None,
        snapshot: str = "",
    ) -> None:
        """With disk, another machine's overlay, it goes on from a snapshot on that, and does not boot."""
        self._ids = itertools.count(1)
        self.transcript = logs / "commands.log"
        overlay = scratch / "overlay.qcow2"
        if disk:
            shutil.copy(disk, overlay)
        else:
            make_overlay(image / "disk.img", overlay)
        arguments = qemu.command_line(image, overlay, payload, scratch, logs / "console.log")
        self._process = qemu.Process([*arguments, "-S"], logs / "qemu.log")
        try:
            self._monitor = qemu.Monitor(scratch / "monitor")
            self._channel = Wire(scratch / "channel", timeout=30)
            # Only now, with somebody at the channel's other end: without, the machine would see it.
            if snapshot:
                self.load(snapshot)
            self._monitor.execute("cont")
            if not snapshot:
                self.await_boot()
        except BaseException:
            self._process.end()
            raise

    def __enter__(self) -> "Machine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        self._monitor.close()
        self._channel.close()
        self._process.end()

    def run(self, command: str, stdin: bytes = b"", timeout: float = 60) -> Outcome:
        """Runs a shell command as root."""
        return self._outcome(
            command,
            argv=["/bin/bash", "-c", command],
            stdin=base64.b64encode(stdin).decode(),
            timeout=timeout,
        )

    def _outcome(self, command: str, **request: Any) -> Outcome:
        answer = self._ask(**request)
        out = base64.b64decode(answer["out"]).decode(errors="replace")
        outcome = Outcome(answer["code"], out)
        with self.transcript.open("a", encoding="utf-8") as file:
            file.write(
                f"$ {command}\n{outcome.out}"
                f"[{outcome.code} in {answer['took']:.1f} s, at {answer['now']:.1f}]\n"
            )
        return outcome

    def _ask(self, **request: Any) -> dict[str, Any]:
        number = next(self._ids)
        self._channel.send({"id": number} | request)
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            answer = self._channel.receive(deadline)
            if answer.get("id") == number:
                return answer

    def sleep(self, seconds: float = 0) -> float:
        """The machine's clock after that time, in seconds since its boot."""
        now: float = self._ask(sleep=seconds)["now"]
        return now

    def check(self, command: str, stdin: bytes = b"", timeout: float = 60) -> str:
        """What a command prints. Raises Failed unless it ends with 0."""
        outcome = self.run(command, stdin, timeout)
        if outcome.code != 0:
            raise Failed(f"{command}: exit code {outcome.code}\n{outcome.out}")
        return outcome.out

    def read(self, path: str) -> str:
        """Raises Failed when there is no such file."""
        content = self.find(path)
        if content is None:
            raise Failed(f"{path} could not be read")
        return content

    def find(self, path: str) -> str | None:
        """What a file holds; None: there is none. Costs no process, so it may be asked often."""
        outcome = self._outcome(f"< {path}", read=path)
        return outcome.out if outcome.code == 0 else None

    def write(self, path: str, content: str | bytes, mode: str = "0644") -> None:
        """Puts a file in place by a rename, as who does it properly."""
        data = content.encode() if isinstance(content, str) else content
        target = shlex.quote(path)
        temporary = shlex.quote(path + ".tmp")
        self.check(
            f"mkdir -p $(dirname {target}) && cat >{temporary} && "
            f"chmod {mode} {temporary} && mv {temporary} {target}",
            stdin=data,
        )

    def wait_for(
        self, what: str, state: Callable[[], T | None], timeout: float, every: float = 1
    ) -> T:
        """What state() returns as soon as that is true. Raises Failed after timeout seconds."""
        deadline = self.sleep() + timeout
        while True:
            value = state()
            if value:
                return value
            if self.sleep(every) > deadline:
                raise Failed(f"not within {timeout:.0f} s: {what}")

    def save(self, name: str) -> None:
        """Keeps the whole state of the machine under a name, for load()."""
        self._monitor.human(f"savevm {name}")

    def load(self, name: str) -> None:
        self._monitor.human(f"loadvm {name}")

    def cut_power(self) -> None:
        """Resets the machine: what was not synced is lost. Returns when it is up again.

        The machine does it itself: by the time QEMU is told, minutes of its clock may have passed.
        """
        self._channel.send({"id": next(self._ids), "reset": True})
        self.await_boot()

    def await_boot(self) -> None:
        """Returns when a machine that was started or reset is up."""
        deadline = time.monotonic() + BOOT_SECONDS
        try:
            while "boot" not in self._channel.receive(deadline):
                pass
        except Late as error:
            raise Failed(f"the machine did not boot within {BOOT_SECONDS} s") from error


def make_overlay(base: Path, overlay: Path) -> None:
    """A disk that reads from base and keeps what is written for itself."""
    overlay.unlink(missing_ok=True)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(overlay)],
        check=True,
    )
