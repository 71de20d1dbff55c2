# SPDX-License-Identifier: Apache-2.0
"""Kubelets that systemd has to restart: one that is a service of its own and reads a drop-in
directory, as kubeadm's can, and the one within k3s."""

import shlex

from node import CONFIG_DIR, DATA, Node, expect, say

from . import Kind, scenario
from .transaction import ENFORCE, add_pods, hard_in_force, phase, processes

PLAIN_DROP_INS = "/etc/kubernetes/kubelet.conf.d"
PLAIN_CONFIG = "/var/lib/kubelet/config.yaml"
K3S = "/var/lib/rancher/k3s"
K3S_DROP_INS = f"{K3S}/agent/etc/kubelet.conf.d"
UNITS = "/etc/systemd/system"
CONTAINERD = f"""\
[Service]
ExecStart=containerd --config {DATA}/agent/etc/containerd.toml --root {DATA}/agent/containerd \\
  --address /run/k3s/containerd/containerd.sock --state /run/k3s/containerd
KillMode=process
Delegate=yes
"""
# As kubeadm's. Source: kubernetes/release cmd/krel/templates/latest/kubelet/kubelet.service.
PLAIN_UNIT = """\
[Unit]
Requires=containerd-of-its-own.service
After=containerd-of-its-own.service
[Service]
ExecStart=/usr/local/bin/kubelet {flags}
Restart=always
RestartSec=10
"""
# As k3s' own. Source: k3s v1.34 install.sh create_systemd_service_file().
K3S_UNIT = f"""\
[Service]
Type=notify
NotifyAccess=main
ExecStart={K3S}/data/0123456789abcdef/bin/k3s-server server
KillMode=process
Delegate=yes
TimeoutStartSec=0
Restart=always
RestartSec=5s
"""


def start_unit(node: Node, name: str, text: str) -> None:
    node.machine.write(f"{UNITS}/{name}", text)
    node.machine.check(f"systemctl daemon-reload && systemctl start {name}", timeout=120)
    node.await_healthy()


def end_rke2(node: Node) -> None:
    node.machine.check("systemctl disable --now rke2-server.service", timeout=120)
    node.machine.wait_for("RKE2's kubelet ends", lambda: node.kubelet_pid() is None, 60)


def start_plain(node: Node) -> None:
    """The same kubelet with the same settings, but nobody else's child."""
    machine = node.machine
    pid = node.kubelet_pid()
    program = machine.check(f"readlink /proc/{pid}/exe").strip()
    flags = machine.read(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")[1:]
    flags = [flag for flag in flags if not flag.startswith(("--config=", "--config-dir="))]
    flags += [f"--config={PLAIN_CONFIG}", f"--config-dir={PLAIN_DROP_INS}"]
    end_rke2(node)
    machine.check(
        f"mkdir -p {PLAIN_DROP_INS} && cp {CONFIG_DIR}/00-rke2-defaults.conf {PLAIN_CONFIG} && "
        f"rm -r {CONFIG_DIR} && install -m 755 {program} /usr/local/bin/kubelet"
    )
    machine.write(f"{UNITS}/containerd-of-its-own.service", CONTAINERD)
    text = PLAIN_UNIT.format(flags=" ".join(map(shlex.quote, flags)))
    start_unit(node, "kubelet.service", text)


def start_k3s(node: Node) -> None:
    end_rke2(node)
    program = f"{K3S}/data/0123456789abcdef/bin/k3s-server"
    node.machine.check(f"rm -r {CONFIG_DIR}; install -D -m 755 /opt/e2e/bin/launcher {program}")
    start_unit(node, "k3s.service", K3S_UNIT)


def invocation(node: Node, unit: str) -> str:
    """Another one after each start by systemd."""
    return node.machine.check(f"systemctl show --value --property=InvocationID {unit}")


def draw(node: Node) -> float:
    """This boot's part of restart-spread."""
    return int(node.machine.read("/proc/sys/kernel/random/boot_id")[:8], 16) / 2**32


def enforce_and_roll_back(
    node: Node, unit: str, folder: str, target: str, more: str = "", spread: int = 0
) -> None:
    """more: of the section [kubelet]; neither a path nor, with the stand-in, an API server tells
    the version here. spread: restart-spread, in minutes."""
    machine = node.machine
    version = node.kubelet_version.removeprefix("v")
    enforce = ENFORCE.replace("restart-spread = 0", f"restart-spread = {spread}")
    node.write_agent_ini(f"{enforce}[kubelet]\nversion = {version}\n{more}")
    node.await_settled()
    before = add_pods(node)
    others = machine.check(f"ls -A {folder}")
    first = invocation(node, unit)
    started = machine.sleep()
    node.start_agent()
    file = f"{folder}/60-eviction-agent.conf"
    machine.wait_for("the transaction has begun", lambda: phase(node, file), 900)
    waited = machine.sleep() - started
    turn = spread * 60 * draw(node)
    say(f"began after {waited:.0f} s, its turn was after {turn:.0f} s")
    expect(waited > turn - 1, "it did not wait for its turn")
    machine.wait_for(
        "the value is committed", lambda: phase(node, file) == "committed", 900, every=5
    )
    _, plan = node.agent("plan")
    say(f"target {plan['kubelet']['target']}, in force: {hard_in_force(node)}")
    expect(plan["kubelet"]["target"] == target, f"target {plan['kubelet']['target']}")
    expect(invocation(node, unit) != first, "systemd was not asked for the restart")
    restarts = machine.check(f"systemctl show --value --property=NRestarts {unit}")
    expect(restarts.strip() == "0", "it ended by itself")
    expect(str(hard_in_force(node)) in machine.read(file), "the kubelet has another value")
    expect(processes(node) == before, "pods were hurt")

    node.stop_agent()
    code, _ = node.agent("rollback")
    expect(code == 0, "rollback failed")
    expect(machine.check(f"ls -A {folder}") == others, "something is left behind")
    machine.check(f"systemctl restart {unit}", timeout=120)
    node.await_healthy()
    expect(hard_in_force(node) is None, "the kubelet still has the value")
    expect(processes(node) == before, "pods were hurt")


@scenario(Kind.DROP_IN)
def plain_kubelet(node: Node) -> None:
    """A kubelet of its own service: systemd restarts it at the daemon's turn; no pod is hurt."""
    start_plain(node)
    spread = min(1440, int(40 / (60 * draw(node))) + 1)
    enforce_and_roll_back(
        node, "kubelet.service", PLAIN_DROP_INS, "kubelet-dropin", spread=spread
    )


@scenario(Kind.DROP_IN)
def k3s(node: Node) -> None:
    """The kubelet within k3s: systemd restarts all of k3s for the daemon; no pod is hurt."""
    start_k3s(node)
    enforce_and_roll_back(node, "k3s.service", K3S_DROP_INS, "k3s-dropin", "restart-unit = yes\n")
