# SPDX-License-Identifier: Apache-2.0
"""The Debian package from its installation to its purge, on a node with a kubelet."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from node import Node, expect, say

from . import Kind, scenario
from .transaction import (
    ENFORCE,
    STATE,
    add_pods,
    expect_in_force,
    expect_untouched,
    phase,
    processes,
    status,
)

DEBS = "/opt/e2e/packages"  # of tests/packaging/run and add_earlier()
# But for what the machine's other services write, and for the logs and backups of dpkg.
ELSEWHERE = (
    *("/proc", "/sys", "/dev", "/run/[!e]*", "/tmp", "/opt/e2e", "/var/log", "/var/cache"),
    *("/var/lib/e2e", "/var/lib/kubelet", "/var/lib/rancher", "/var/lib/containerd"),
    *("/var/lib/apt", "/var/lib/systemd/[!d]*"),
    *("/var/lib/dpkg/*-old", "/var/lib/dpkg/lock*", "/var/lib/dpkg/triggers"),
)
DPKG = "/var/lib/dpkg/status"  # written anew each time
# Kind, mode, owner and target of each, time and size of each file.
SNAPSHOT = (
    f"find / \\( {' -o '.join(f'-path {path!r}' for path in (*ELSEWHERE, DPKG))} \\) -prune -o "
    "\\( -type f -printf '%p %M %U:%G %T@ %s\\n' -o -printf '%p %M %U:%G %l\\n' \\) | sort; "
    f"sha256sum {DPKG}"
)


def add_earlier(folder: Path) -> None:
    """Beside new.deb the same under an earlier version, old.deb."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", folder / "new.deb", tree], check=True)
    control = tree / "DEBIAN/control"
    text = control.read_text(encoding="utf-8")
    control.write_text(re.sub("(?m)^Version: .*", r"\g<0>~earlier", text), encoding="utf-8")
    command = ["dpkg-deb", "--build", "--root-owner-group", tree, folder / "old.deb"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)


def apt(node: Node, arguments: str) -> None:
    quiet = "DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet=2 --option=Dpkg::Use-Pty=0"
    say(f"apt-get {arguments}")
    node.machine.check(f"{quiet} {arguments}", timeout=300)


def pid(node: Node) -> str:
    shown = node.machine.check("systemctl show --value --property=MainPID eviction-agent")
    return shown.strip()


def expect_ready(node: Node) -> None:
    """Within 2 s of its start the daemon answers, and has looked at the node."""
    begun = "systemctl show --value --property=ExecMainStartTimestampMonotonic eviction-agent"
    url = "http://127.0.0.1:9847/readyz"
    machine = node.machine
    machine.wait_for(
        "it answers", lambda: machine.run(f"curl -sf {url}").code == 0, 60, every=0.1
    )
    took = machine.sleep() - int(machine.check(begun)) / 1e6
    say(f"ready {took:.1f} s after its start")
    expect(took < 2, "it took longer than 2 s")


@scenario(Kind.DROP_IN)
def packaged(node: Node) -> None:
    """The Debian package: installed, put in force, upgraded, removed and purged; no pod is hurt."""
    machine = node.machine
    machine.check("rm /usr/local/bin/eviction-agent /usr/local/lib/systemd/system/eviction-agent*")
    machine.check("systemctl daemon-reload")
    before = add_pods(node)
    files = machine.check(SNAPSHOT, timeout=300)
    kubelet = node.kubelet_pid()

    apt(node, f"install {DEBS}/old.deb")
    expect_ready(node)
    node.machine.wait_for("it has decided", lambda: status(node).get("decision"), 60)
    expect(node.kubelet_pid() == kubelet, "the installation restarted the kubelet")

    node.write_agent_ini(ENFORCE)
    machine.check("systemctl reload eviction-agent")
    machine.wait_for("the value is committed", lambda: phase(node) == "committed", 900, every=5)
    expect_in_force(node, before)
    kubelet, agent = node.kubelet_pid(), pid(node)
    record = machine.read(f"{STATE}/state.json")

    apt(node, f"install --option=Dpkg::Options::=--force-confold {DEBS}/new.deb")
    expect(pid(node) != agent, "the old agent runs on")
    expect_ready(node)
    expect(node.kubelet_pid() == kubelet, "the upgrade restarted the kubelet")
    expect_in_force(node, before)
    expect(machine.read(f"{STATE}/state.json") == record, "the record is another")
    version = json.loads(machine.check("eviction-agent version -o json"))
    say(f"version: {version}")

    apt(node, "remove eviction-agent")
    expect(node.kubelet_pid() == kubelet, "the removal restarted the kubelet")
    expect(machine.run(f"ls {STATE}").code != 0, "its state is left behind")
    node.restart_kubelet()
    expect_untouched(node, before)

    apt(node, "purge eviction-agent")
    expect(processes(node) == before, "pods were hurt")
    left = set(machine.check(SNAPSHOT, timeout=300).splitlines()) ^ set(files.splitlines())
    expect(not left, "not as before:\n" + "\n".join(sorted(left)))
