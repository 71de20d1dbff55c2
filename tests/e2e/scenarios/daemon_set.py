# SPDX-License-Identifier: Apache-2.0
"""The chart's objects in a real API server, and its pods run by a real kubelet. No controllers run
there: what those of DaemonSets and Jobs would do is done here."""

import json
from typing import Any

from node import Node, expect, say
from real_node import RealNode

from . import Kind, scenario
from .args_target import OURS, committed
from .contained import CTR, IMAGE, PROGRAM, TO_JSON, VIEW

CHART = "/opt/e2e/packages/args-chart.yaml"  # of tests/packaging/run
STATE = "/var/lib/rancher/eviction-agent"
READYZ = "curl -sf http://127.0.0.1:9847/readyz"
# SYS_PTRACE and SYS_RESOURCE. Source: Linux include/uapi/linux/capability.h.
CAPABILITIES = 1 << 19 | 1 << 24
Object = dict[str, Any]


def path_of(one: Object) -> str:
    """Of an object in the API."""
    version, metadata = one["apiVersion"], one["metadata"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    space = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{group}{space}/{one['kind'].lower()}s/{metadata['name']}"


def annotations(one: Object) -> dict[str, str]:
    found: dict[str, str] = one["metadata"].get("annotations", {})
    return found


class Release:
    """What helm would do with the rendered chart, and the controllers with its objects."""

    def __init__(self, node: RealNode) -> None:
        self._node = node
        text = node.machine.check(f"{TO_JSON} <{CHART}")
        objects = [one for one in json.loads(text) if one]
        self._hooks = [one for one in objects if "helm.sh/hook" in annotations(one)]
        self._objects = [one for one in objects if one not in self._hooks]
        (self._daemon_set,) = (one for one in objects if one["kind"] == "DaemonSet")
        self.space: str = self._daemon_set["metadata"]["namespace"]

    def install(self) -> None:
        metadata = {"name": self.space}
        self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        for one in self._objects:
            self._create(one)

    def _create(self, one: Object) -> None:
        self._node.send("POST", path_of(one).rpartition("/")[0], one)

    def before_deletion(self) -> None:
        """The hook: its objects, and what its Job does in the API, with no rights but its own."""
        for one in self._hooks:
            self._create(one)
        (account,) = (one for one in self._hooks if one["kind"] == "ServiceAccount")
        (job,) = (one for one in self._hooks if one["kind"] == "Job")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = self._node.send("POST", f"{path_of(account)}/token", request)
        token = answer["status"]["token"]
        (patch,) = job["spec"]["template"]["spec"]["initContainers"]
        expect(patch["command"][:2] == ["kubectl", "patch"], f"{patch['command']}")
        (body,) = (word[8:] for word in patch["command"] if word.startswith("--patch="))
        path = path_of(self._daemon_set)
        expect(self._node.ask(path, token), "the Job may not read the DaemonSet")
        kind = "strategic-merge-patch+json"
        self._node.send("PATCH", path, json.loads(body), token, kind)
        folder, _, name = path.rpartition("/")
        selected = f"{folder}?fieldSelector=metadata.name%3D{name}"
        expect(self._node.ask(selected, token), "the Job may not wait for the DaemonSet")
        expect(not self._node.ask(folder, token), "the Job may read all DaemonSets")

    def start_pod(self, name: str) -> None:
        """Of the template that the API server has now."""
        daemon_set = self._node.ask(path_of(self._daemon_set)) or {}
        pod = daemon_set["spec"]["template"] | {"apiVersion": "v1", "kind": "Pod"}
        pod["metadata"] |= {"name": name, "namespace": self.space}
        pod["spec"]["nodeName"] = "e2e-node"
        self._create(pod)


class AgentPod:
    """The agent in a pod of the DaemonSet."""

    def __init__(self, node: RealNode, release: Release, name: str) -> None:
        self._node = node
        self._path = f"/api/v1/namespaces/{release.space}/pods/{name}"
        release.start_pod(name)
        node.machine.wait_for(f"{name} is ready", self.is_ready, 300, every=5)

    def status(self) -> Object:
        return (self._node.ask(self._path) or {}).get("status", {})

    def is_ready(self) -> bool:
        conditions = {one["type"]: one["status"] for one in self.status().get("conditions", [])}
        return conditions.get("Ready") == "True"

    def container(self) -> str:
        (container,) = self.status()["containerStatuses"]
        expect(container["restartCount"] == 0, f"it was started again: {container}")
        return str(container["containerID"]).removeprefix("containerd://")

    def pid(self) -> int:
        tasks = self._node.machine.check(f"{CTR} tasks list").splitlines()
        (line,) = (line for line in tasks if line.startswith(self.container()))
        return int(line.split()[1])

    def says(self, command: str) -> Object:
        """Of a command run in the container."""
        line = f"{PROGRAM} {command} {VIEW} -o json"
        run = f"{CTR} tasks exec --exec-id {command} {self.container()} {line} 2>/dev/null"
        answer: Object = json.loads(self._node.machine.run(run).out)
        return answer

    def expect_rights(self) -> None:
        """Those that the chart gives, and no others."""
        lines = self._node.machine.read(f"/proc/{self.pid()}/status").splitlines()
        found = dict(line.split(":\t") for line in lines)
        expect(int(found["CapBnd"], 16) == CAPABILITIES, f"CapBnd {found['CapBnd']}")
        expect((found["NoNewPrivs"], found["Seccomp"]) == ("1", "2"), "NoNewPrivs or seccomp")

    def expect_no_error(self) -> None:
        """In what it logged; its log goes with the pod."""
        log = self._node.machine.check(f"cat /var/log/pods/*_{self._path.rpartition('/')[2]}_*/*/*")
        expect("error" not in log, f"it says:\n{log}")

    def delete(self) -> None:
        self._node.send("DELETE", self._path, {})
        self._node.machine.wait_for("it is gone", lambda: not self.status(), 180, every=5)


def is_in_force(node: Node) -> bool:
    return "memory.available<" in node.machine.check("pgrep --exact --list-full kubelet")


def expect_seen(agent: AgentPod) -> None:
    """The node through the mounts: the kubelet, and the pods by their names."""
    plan = agent.says("plan")
    kubelet = (plan["kubelet"]["target"], plan["node"]["kubelet_version"])
    expect(kubelet == ("rke2-args", "v1.20.2"), f"{kubelet}")
    pods = {pod["name"]: pod for pod in plan["pods"]}
    say(f"it sees {sorted(pods)}")
    expect({"vm", "agent-1"} <= pods.keys(), "it does not see the pods")
    expect((pods["vm"]["class"], pods["vm"]["request_source"]) == ("vm", "api"), f"{pods['vm']}")


@scenario(Kind.ARGS)
def args_contained(node: Node) -> None:
    """The real kubelet runs the chart's pod, which puts a value in force; the hook takes it back."""
    assert isinstance(node, RealNode)
    machine = node.machine
    machine.check(f"{CTR} images import {IMAGE}", timeout=300)
    node.add_pod("vm", 300, request=400, vm=True)
    node.await_running("vm")
    before = node.container_pids("vm")
    release = Release(node)
    release.install()
    agent = AgentPod(node, release, "agent-1")
    expect(machine.run(READYZ).code == 0, "it is not ready by its port")
    agent.expect_rights()
    expect_seen(agent)

    pid = agent.pid()
    machine.wait_for("the value is committed", lambda: committed(node), 900, every=5)
    expect(is_in_force(node), "the kubelet was not started with the value")
    expect(node.container_pids("vm") == before, "the VM did not live through the restart")
    expect(agent.pid() == pid, "the agent did not live through the restart")
    machine.wait_for("it is ready again", agent.is_ready, 300, every=5)
    say(f"status: {agent.says('status')['decision']}")

    release.before_deletion()
    agent.expect_no_error()
    agent.delete()
    expect(machine.find(OURS) is not None, "the deletion of the pod took the value back")
    agent = AgentPod(node, release, "agent-2")
    expect(machine.find(OURS) is None, "the value is still there")
    agent.expect_no_error()
    left = machine.check(f"ls -A /etc/rancher/rke2/config.yaml.d {STATE}")
    say(f"left behind: {left.split()}")
    machine.check("systemctl restart rke2-server.service", timeout=300)
    node.await_healthy(300)
    expect(not is_in_force(node), "the kubelet still has the value")
    expect(node.container_pids("vm") == before, "the VM was hurt")
