# SPDX-License-Identifier: Apache-2.0
"""The machine's process: its command line, its end, and its monitor (QMP)."""

import ctypes
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from .wire import Wire

MEMORY_MIB = 4096
PR_SET_PDEATHSIG = 1
# The machine's clock counts its instructions, one a nanosecond, and jumps to the next timer when it
# is idle: what happens in it does not depend on how busy the host is, and waiting costs nothing.
# One CPU: they would take turns in one thread anyway. The periodic tick (nohz=off) keeps the jumps
# small, so that a disk that answers in 0.1 ms is not seconds late. Source: QEMU 7.2
# docs/devel/tcg-icount.rst, softmmu/icount.c icount_start_warp_timer().
CLOCK = ("-icount", "shift=0,sleep=off", "-rtc", "base=utc,clock=vm")
# Without what is slow to emulate: string instructions that count byte by byte, a fifth level of page
# tables, and switches at each entry into the kernel. A quarter less of the host's time.
CPU = "max,-erms,-fsrm,-la57,-smap,-smep,-pku,-pks,-pcid"
CLOCK_ARGUMENTS = "nohz=off clocksource=tsc tsc=reliable"
# psi=1: pressure, as on a node that has it. edd, cryptomgr: a second less of each boot.
KERNEL_ARGUMENTS = (
    "console=ttyS0 panic=-1 quiet psi=1 systemd.unified_cgroup_hierarchy=1 net.ifnames=0 "
    f"mitigations=off edd=off cryptomgr.notests {CLOCK_ARGUMENTS}"
)


def command_line(
    image: Path, overlay: Path, payload: Path, scratch: Path, console: Path
) -> list[str]:
    """No network; the base disk is only read, through the overlay."""
    return [
        "qemu-system-x86_64",
        *("-name", "eviction-agent-e2e", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", "q35", "-accel", "tcg,thread=single", "-cpu", CPU),
        *CLOCK,
        *("-smp", "1", "-m", str(MEMORY_MIB)),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd")),
        *("-append", KERNEL_ARGUMENTS),
        *("-drive", f"file={overlay},if=virtio,format=qcow2,cache=unsafe"),
        *("-drive", f"file={payload},if=virtio,format=raw,readonly=on"),
        *("-serial", f"file:{console}"),
        *("-device", "virtio-serial"),
        *("-chardev", f"socket,id=e2e,path={scratch / 'channel'},server=on,wait=off"),
        *("-device", "virtserialport,chardev=e2e,name=e2e"),
        *("-qmp", f"unix:{scratch / 'monitor'},server=on,wait=off"),
    ]


class Monitor:
    """QMP. Source: QEMU 7.2 docs/interop/qmp-spec.txt, qapi/migration.json."""

    def __init__(self, path: Path) -> None:
        self._wire = Wire(path, timeout=30)
        self._wire.receive(time.monotonic() + 30)  # the greeting
        self.execute("qmp_capabilities")

    def close(self) -> None:
        self._wire.close()

    def execute(self, command: str, timeout: float = 60, **arguments: Any) -> Any:
        self._wire.send({"execute": command, "arguments": arguments})
        deadline = time.monotonic() + timeout
        while True:
            message = self._wire.receive(deadline)
            if "error" in message:
                raise RuntimeError(f"{command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]

    def human(self, line: str, timeout: float = 300) -> None:
        """A command of the human monitor; what it prints is an error."""
        printed = self.execute("human-monitor-command", timeout, **{"command-line": line})
        if printed.strip():
            raise RuntimeError(f"{line}: {printed.strip()}")


def end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """QEMU itself; it ends with the thread that started it, if not before."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
