# SPDX-License-Identifier: Apache-2.0
"""Stands for RKE2's process: keeps containerd and the kubelet running, as children of its own.

Source: rke2 v1.34 pkg/executor/staticpod/staticpod.go Kubelet(): the arguments are fixed when RKE2
starts; a kubelet that ended is started again 5 s later; it dies with RKE2 (Pdeathsig).
Its version, and so the kubelet's and how values reach it, is in /etc/e2e/rke2-version.
"""

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import rke2_config

DATA = Path("/var/lib/rancher/rke2")
CONFIG_DIR = DATA / "agent/etc/kubelet.conf.d"
KUBELET_LOG = DATA / "agent/logs/kubelet.log"
CONTAINERD_SOCKET = "/run/k3s/containerd/containerd.sock"
VERSION_FILE = Path("/etc/e2e/rke2-version")
FAULT = Path("/etc/e2e/kubelet-fault")  # what a test makes go wrong: "refuse-memory-signal"
RESTART_SECONDS = 5
FIRST_DROP_IN_MINOR = 32
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def call(argv: list[str], log: Path) -> int:
    with log.open("ab") as file:
        return subprocess.call(
            argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, preexec_fn=die_with_parent
        )


def is_refused(argv: list[str]) -> bool:
    """Whether a test wants a kubelet with these arguments to fail at its start."""
    if not FAULT.exists() or FAULT.read_text(encoding="ascii") != "refuse-memory-signal":
        return False
    files = [file.read_text(encoding="utf-8") for file in CONFIG_DIR.glob("*.conf")]
    return any("memory.available" in text for text in [*argv, *files])


def keep_running(name: str, argv: list[str], log: Path) -> None:
    """Starts it again whenever it ends. Never returns."""
    log.parent.mkdir(parents=True, exist_ok=True)
    while True:
        code = 1 if name == "Kubelet" and is_refused(argv) else call(argv, log)
        print(f"{name} exited: {code}", flush=True)
        time.sleep(RESTART_SECONDS)


def runtime_answers() -> bool:
    with socket.socket(socket.AF_UNIX) as runtime:
        return runtime.connect_ex(CONTAINERD_SOCKET) == 0


def start_containerd() -> None:
    argv = ["containerd", "--config", str(DATA / "agent/etc/containerd.toml")]
    argv += ["--address", CONTAINERD_SOCKET, "--state", "/run/k3s/containerd"]
    argv += ["--root", str(DATA / "agent/containerd")]
    log = DATA / "agent/containerd/containerd.log"
    threading.Thread(target=keep_running, args=("containerd", argv, log), daemon=True).start()
    while not runtime_answers():
        time.sleep(0.2)


def write_defaults() -> None:
    CONFIG_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = CONFIG_DIR / "00-rke2-defaults.conf"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as content:
        content.write(rke2_config.default_file(DATA / "agent"))


def kubelet_flags(minor: int) -> list[str]:
    defaults = {
        "container-runtime-endpoint": f"unix://{CONTAINERD_SOCKET}",
        "hostname-override": socket.gethostname(),
        "node-ip": "10.0.0.1",
    }
    kubeconfig = DATA / "agent/kubelet.kubeconfig"
    if kubeconfig.exists():
        defaults["kubeconfig"] = str(kubeconfig)
    if minor >= FIRST_DROP_IN_MINOR:
        write_defaults()
        defaults["config-dir"] = str(CONFIG_DIR)
    else:
        defaults |= rke2_config.default_flags(DATA / "agent")
    return rke2_config.merge(defaults, rke2_config.kubelet_args())


def notify_ready(address: str) -> None:
    """RKE2 is ready when its agent has started the kubelet, whether that lives or not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", address)


def main() -> None:
    version = VERSION_FILE.read_text(encoding="ascii").strip()
    minor = int(version.split(".")[1])
    (kubelet,) = (DATA / "data").glob(f"{version}-*/bin/kubelet")
    flags = kubelet_flags(minor)
    service_manager = os.environ.pop("NOTIFY_SOCKET")  # not for the children
    start_containerd()
    notify_ready(service_manager)
    keep_running("Kubelet", [str(kubelet), *flags], KUBELET_LOG)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    main()
