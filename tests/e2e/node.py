# SPDX-License-Identifier: Apache-2.0
"""The node that runs in the machine: RKE2's stand-in, a kubelet, pods, and the agent."""

import json
import threading
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from machine.machine import Failed, Machine

DATA = "/var/lib/rancher/rke2"
CONFIG_DIR = f"{DATA}/agent/etc/kubelet.conf.d"
KUBELET_LOG = f"{DATA}/agent/logs/kubelet.log"
AGENT_INI = "/etc/eviction-agent/eviction-agent.ini"
# What is taken out of the machine after each scenario: file name, command.
EVIDENCE = {
    "journal.log": "journalctl --no-pager --output=short-monotonic",
    "kubelet.log": f"cat {KUBELET_LOG}",
    "dropins.txt": f"tail -n +1 {CONFIG_DIR}/*",
    "kube-apiserver.log": "tail -n 300 /var/log/kube-apiserver.log",
    "agent.txt": "tail -n +1 /run/eviction-agent/* /var/lib/eviction-agent/*",
    "processes.txt": "ps -eo pid,ppid,rss,cgroup:80,args",
}


@dataclass(frozen=True)
class Pod:
    """Amounts in MiB. A VM's process is virt-launcher-monitor."""

    name: str
    memory: int
    growth: tuple[int, int] = (0, 1)  # beyond memory: how much, and how much a second
    request: int = 0
    limit: int | None = None
    vm: bool = False
    restart: bool = False  # its container is started again when it ends

    @property
    def command(self) -> list[str]:
        command = ["/usr/local/bin/workload"]
        if self.vm:
            command = ["/usr/bin/virt-launcher-monitor", "--name", self.name]
            command += ["--uid", uid_of(f"vm {self.name}"), "--namespace", "default"]
        command += ["--memory", str(self.memory)]
        return [*command, "--grow", str(self.growth[0]), "--rate", str(self.growth[1])]

    @property
    def container(self) -> str:
        return "compute" if self.vm else "main"


def uid_of(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def say(text: str) -> None:
    print(f"    {threading.current_thread().name}: {text}", flush=True)


def expect(truth: object, otherwise: str) -> None:
    if not truth:
        raise Failed(otherwise)


class Node(ABC):
    """What scenarios do to the node and ask it."""

    def __init__(self, machine: Machine, version: str) -> None:
        """version: RKE2's, v1.34.2+rke2r1 with a dash for the plus."""
        self.machine = machine
        self.version = version

    @property
    def kubelet_version(self) -> str:
        return self.version.split("-")[0]

    @abstractmethod
    def set_up(self) -> None:
        """From a booted machine to a healthy node without pods."""

    @abstractmethod
    def create_pod(self, pod: Pod) -> None:
        """Each pod is newer than the one before."""

    @abstractmethod
    def pod(self, name: str) -> dict[str, Any]:
        """{"uid", "phase", "reason", "message"}, as the API server tells; {} when it does not."""

    @abstractmethod
    def memory(self) -> tuple[int, int]:
        """The node's capacity and allocatable, in bytes."""

    # -- the node ---------------------------------------------------------------------------------

    def collect(self, folder: Path) -> None:
        for name, command in EVIDENCE.items():
            (folder / name).write_text(self.machine.run(command).out, encoding="utf-8")

    def cut_power(self) -> None:
        """Resets the machine without a sync; returns when pods can be asked for again, the kubelet
        may not be up yet."""
        self.machine.cut_power()
        self.await_pods_known()

    def await_pods_known(self) -> None:
        """Returns when pod() answers, after a boot."""

    def vmstat(self, name: str) -> int:
        return int(self.machine.check(f"awk '$1 == \"{name}\" {{ print $2 }}' /proc/vmstat"))

    def available_mib(self) -> int:
        """The kernel's MemAvailable."""
        return int(self.machine.check("awk '/^MemAvailable/ { print $2 }' /proc/meminfo")) // 1024

    # -- the kubelet ------------------------------------------------------------------------------

    def kubelet_pid(self) -> int | None:
        out = self.machine.run("pgrep --exact --oldest kubelet").out.strip()
        return int(out) if out else None

    def healthy(self) -> bool:
        command = "curl -sf --max-time 5 http://127.0.0.1:10248/healthz"
        return self.machine.run(command).out == "ok"

    def await_healthy(self, timeout: float = 180) -> None:
        self.machine.wait_for("the kubelet answers healthz", self.healthy, timeout)

    def restart_kubelet(self, timeout: float = 180) -> float:
        """SIGTERM to the kubelet; the seconds until a new one is healthy."""
        old = self.kubelet_pid()
        expect(old, "no kubelet runs")
        begun = self.machine.sleep()
        self.machine.check(f"kill -TERM {old}")
        self.machine.wait_for(
            "a new kubelet", lambda: self.kubelet_pid() not in (old, None), timeout, every=0.5
        )
        self.await_healthy(timeout)
        return self.machine.sleep() - begun

    def configz(self) -> dict[str, Any]:
        """The configuration the kubelet runs with, as an administrator reads it."""
        out = self.machine.check(
            f"curl -sf --cacert {DATA}/agent/server-ca.crt -H 'Authorization: Bearer e2e-token' "
            "https://127.0.0.1:10250/configz"
        )
        config: dict[str, Any] = json.loads(out)["kubeletconfig"]
        return config

    def write_drop_in(self, name: str, **config: Any) -> None:
        """A KubeletConfiguration by hand. JSON is YAML."""
        head = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
        self.machine.write(f"{CONFIG_DIR}/{name}", json.dumps(head | config), mode="0600")

    def remove_drop_in(self, name: str) -> None:
        self.machine.check(f"rm {CONFIG_DIR}/{name}")

    def set_kubelet_fault(self, fault: str) -> None:
        """ "refuse-memory-signal", or "" for none; from the kubelet's next start on."""
        self.machine.write("/etc/e2e/kubelet-fault", fault)

    # -- pods -------------------------------------------------------------------------------------

    def add_pod(self, name: str, memory: int, **more: Any) -> None:
        """A pod that takes memory MiB; more: the other fields of Pod."""
        self.create_pod(Pod(name, memory, **more))

    def container_pids(self, name: str) -> set[int]:
        """The processes of a pod; another set means that it ran again."""
        out = self.machine.run(f"cat {self.cgroup(name)}/cri-containerd-*.scope/cgroup.procs").out
        return {int(pid) for pid in out.split() if pid.isdigit()}

    def cgroup(self, name: str) -> str:
        """A shell pattern of the pod's cgroup."""
        uid = self.pod(name)["uid"].replace("-", "_")
        return f"/sys/fs/cgroup/kubepods.slice/{{,kubepods-*.slice/}}kubepods*-pod{uid}.slice"

    def await_running(self, *names: str, timeout: float = 300) -> None:
        for name in names:
            self.machine.wait_for(f"{name} runs", partial(self.is_running, name), timeout)

    def is_running(self, name: str) -> bool:
        """By what the kubelet says."""
        return self.pod(name).get("phase") == "Running"

    def await_used(self, name: str, mib: int, timeout: float = 300) -> None:
        """Until a pod has taken its memory."""
        command = f"cat {self.cgroup(name)}/memory.current 2>/dev/null"
        self.machine.wait_for(
            f"{name} uses {mib} MiB",
            lambda: int(self.machine.run(command).out or 0) >= mib << 20,
            timeout,
        )

    # -- the agent --------------------------------------------------------------------------------

    def await_settled(self) -> None:
        """Until node and kubelet run long enough for the agent to change anything."""

        def is_settled() -> bool:
            _, plan = self.agent("plan")
            return any(g["name"] == "settled" and g["ok"] is not False for g in plan["guards"])

        self.machine.wait_for("the node has settled", is_settled, 600, every=30)

    def agent(self, arguments: str, timeout: float = 120) -> tuple[int | None, dict[str, Any]]:
        """One run of a subcommand with -o json: its exit code and what it printed."""
        command = f"eviction-agent {arguments} -o json 2>/tmp/agent.err"
        outcome = self.machine.run(command, timeout=timeout)
        try:
            return outcome.code, json.loads(outcome.out)
        except ValueError as error:
            raise Failed(f"eviction-agent {arguments}: no JSON\n{outcome.out}") from error

    def write_agent_ini(self, content: str) -> None:
        self.machine.write(AGENT_INI, content)

    def start_agent(self) -> None:
        """Starts the daemon; READY=1 is what systemctl waits for."""
        self.machine.check("systemctl start eviction-agent")

    def stop_agent(self) -> None:
        self.machine.check("systemctl stop eviction-agent")

    def signal_agent(self, name: str) -> None:
        """ "KILL", "STOP", "CONT", "HUP"."""
        self.machine.check(f"systemctl kill --signal={name} eviction-agent")
