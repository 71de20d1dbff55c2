# SPDX-License-Identifier: Apache-2.0
"""The machine's process: its command line, its end, and its monitor (QMP)."""

import subprocess
import time
from pathlib import Path
from typing import Any

from .wire import Wire

MEMORY_MIB = 4096
CPUS = 2
# noauto_da_alloc, commit=300: see image/build. psi=1: pressure, as on a node that has it.
KERNEL_ARGUMENTS = (
    "root=/dev/vda rw rootflags=noauto_da_alloc,commit=300 console=ttyS0 panic=-1 quiet "
    "psi=1 systemd.unified_cgroup_hierarchy=1 net.ifnames=0 mitigations=off"
)


def command_line(
    image: Path, overlay: Path, payload: Path, scratch: Path, console: Path
) -> list[str]:
    """No network; the base disk is only read, through the overlay."""
    return [
        "qemu-system-x86_64",
        *("-name", "eviction-agent-e2e", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"),
        *("-smp", str(CPUS), "-m", str(MEMORY_MIB)),
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


class Process:
    """QEMU itself; ended by its own pid, whatever happens."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
