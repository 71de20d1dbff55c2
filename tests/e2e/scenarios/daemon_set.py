# SPDX-License-Identifier: Apache-2.0
"""The chart, installed and uninstalled by helm: a real API server has its objects, a real kubelet runs
its pods. No controllers run there: what those of DaemonSets and Jobs would do is done here."""

import json
from pathlib import Path
from typing import Any

from machine.payload import container_image
from node import DATA, Node, expect, say
from real_node import API, TOKEN, RealNode

from . import Kind, scenario
from .args_target import OURS, committed
from .contained import CTR, IMAGE, PROGRAM, TO_JSON, VIEW

PACKAGES = "/opt/e2e/packages"  # of tests/packaging/run
RELEASE, SPACE = "agent", "harvester-system"
KUBECTL_IMAGE = "docker.io/e2e/kubectl:1"
HELM = (
    f"{PACKAGES}/helm --namespace {SPACE} --kube-apiserver {API} --kube-token {TOKEN}"
    f" --kube-ca-file {DATA}/agent/server-ca.crt"
)
# That kubelet's supervisor has to be restarted, and it is older than those whose rules the agent knows.
# The machine is slow.
VALUES = (
    f"--set mode=enforce,restartUnit=true,uninstall.kubectlImage={KUBECTL_IMAGE}"
    " --set uninstall.timeoutSeconds=600"
    " --set-string config.kubelet.allow-version=yes,config.agent.restart-spread=0"
)
DAEMON_SET = f"/apis/apps/v1/namespaces/{SPACE}/daemonsets/{RELEASE}"
JOB = f"/apis/batch/v1/namespaces/{SPACE}/jobs/{RELEASE}-put-back"
PODS = f"/api/v1/namespaces/{SPACE}/pods"
STATE = "/var/lib/rancher/eviction-agent"
READYZ = "curl -sf http://127.0.0.1:9847/readyz"
# SYS_PTRACE and SYS_RESOURCE. Source: Linux include/uapi/linux/capability.h.
CAPABILITIES = 1 << 19 | 1 << 24
NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "type": "ptp",
    "ipam": {
        "type": "host-local",
        "subnet": "10.42.0.0/24",
        "routes": [{"dst": "0.0.0.0/0"}],
    },
}
SERVICE = "10.43.0.1"  # of the API server, the first of its --service-cluster-ip-range
ACCOUNT = {"name": "account", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
Object = dict[str, Any]


def add_kubectl(folder: Path) -> None:
    """An image of the kubectl there, in its place."""
    program = folder / "kubectl"
    image = container_image(KUBECTL_IMAGE, program.read_bytes(), "usr/local/bin/kubectl")
    (folder / "kubectl.tar").write_bytes(image)
    program.unlink()


def give_pods_a_network(node: Node) -> None:
    """With the API server at its service's address, where kube-proxy would have it."""
    node.machine.write("/etc/cni/net.d/10-pods.conf", json.dumps(NETWORK))
    node.machine.check(f"ip address add {SERVICE}/32 dev lo")
    relay = f"socat TCP-LISTEN:443,bind={SERVICE},fork,reuseaddr TCP:127.0.0.1:6443"
    node.machine.check(f"systemd-run --unit=service-address {relay}")


def path_of(one: Object) -> str:
    """Of an object in the API."""
    version, metadata = one["apiVersion"], one["metadata"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    space = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{group}{space}/{one['kind'].lower()}s/{metadata['name']}"


def with_account(pod: Object) -> Object:
    """What the admission plugin ServiceAccount adds to a pod; it is off in this API server.
    Source: kubernetes v1.34 plugin/pkg/admission/serviceaccount/admission.go."""
    names = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt"}},
        {"downwardAPI": {"items": [names]}},
    ]
    pod["spec"]["volumes"] = [{"name": ACCOUNT["name"], "projected": {"sources": sources}}]
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        container["volumeMounts"] = [ACCOUNT]
    return pod


class Release:
    """helm, and the controllers of what it installs."""

    def __init__(self, node: RealNode) -> None:
        self._node = node
        self._paths: list[str] = []  # of all its objects

    def _helm(self, command: str) -> str:
        return self._node.machine.check(f"{HELM} {command}", timeout=600)

    def install(self) -> None:
        say(self._helm(f"install {RELEASE} {PACKAGES}/chart --create-namespace {VALUES}"))
        text = self._helm(f"get manifest {RELEASE}") + self._helm(f"get hooks {RELEASE}")
        objects = json.loads(self._node.machine.check(TO_JSON, text.encode()))
        self._paths = [path_of(one) for one in objects if one]
        expect({DAEMON_SET, JOB} <= set(self._paths), f"objects {self._paths}")
        authority = {"ca.crt": self._node.machine.read(f"{DATA}/agent/server-ca.crt")}
        self._create("configmaps", {"metadata": {"name": "kube-root-ca.crt"}, "data": authority})

    def _create(self, kind: str, one: Object) -> None:
        self._node.send("POST", f"/api/v1/namespaces/{SPACE}/{kind}", one)

    def _pod_of(self, owner: str, name: str) -> Object:
        """Of the template that the owner in the API has now."""
        template: Object = (self._node.ask(owner) or {})["spec"]["template"]
        pod = template | {"apiVersion": "v1", "kind": "Pod"}
        pod["metadata"] |= {"name": name, "namespace": SPACE}
        pod["spec"]["nodeName"] = "e2e-node"
        return pod

    def start_agent(self, name: str) -> None:
        self._create("pods", self._pod_of(DAEMON_SET, name))

    def rolled_out(self) -> None:
        """The one pod is of the present template, and ready."""
        generation = (self._node.ask(DAEMON_SET) or {})["metadata"]["generation"]
        counts = ("current", "desired", "updated")
        status = {f"{count}NumberScheduled": 1 for count in counts} | {"numberMisscheduled": 0}
        status |= {"numberReady": 1, "numberAvailable": 1, "observedGeneration": generation}
        self._report(DAEMON_SET, status)

    def _report(self, path: str, status: Object) -> None:
        kind = "merge-patch+json"
        self._node.send("PATCH", f"{path}/status", {"status": status}, kind=kind)

    def uninstall(self) -> None:
        """Begins with it; helm waits for the hook."""
        machine = self._node.machine
        run = "systemd-run --unit=uninstall --remain-after-exit"
        machine.check(f"{run} {HELM} uninstall {RELEASE} --timeout 30m")
        machine.wait_for("its Job", lambda: self._node.ask(JOB), 300, every=5)
        self._expect_no_more_rights()
        self._create("pods", with_account(self._pod_of(JOB, "job")))
        machine.wait_for("the Job waits", lambda: self.job_state("wait") == "running", 600, every=5)

    def _expect_no_more_rights(self) -> None:
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        account = f"/api/v1/namespaces/{SPACE}/serviceaccounts/{RELEASE}-put-back"
        token = self._node.send("POST", f"{account}/token", request)["status"]["token"]
        expect(self._node.ask(DAEMON_SET, token), "the Job may not read the DaemonSet")
        others = DAEMON_SET.rpartition("/")[0]
        expect(not self._node.ask(others, token), "the Job may read all DaemonSets")

    def job_state(self, container: str) -> str:
        """waiting, running, terminated; empty: there is no such container yet."""
        status = (self._node.ask(f"{PODS}/job") or {}).get("status", {})
        for one in status.get("containerStatuses", []):
            if one["name"] == container:
                return str(next(iter(one["state"]), ""))
        return ""

    def await_uninstalled(self) -> None:
        """The Job's pod ends well, and with it the hook."""
        machine = self._node.machine
        machine.wait_for("the Job's pod succeeds", self._has_succeeded, 600, every=5)
        log = machine.check(f"tail -n +1 /var/log/pods/{SPACE}_job_*/*/*.log")
        say(f"the Job says:\n{log}")
        condition = {"type": "Complete", "status": "True"}
        self._report(JOB, {"succeeded": 1, "conditions": [condition]})
        machine.wait_for("helm ends", lambda: helm_state(self._node) != "running", 600, every=5)
        said = machine.check("journalctl --unit=uninstall --output=cat --no-pager")
        expect(helm_state(self._node) == "exited", f"helm failed:\n{said}")
        left = [path for path in self._paths if self._node.ask(path)]
        expect(not left, f"helm left {left}")
        expect(self._node.ask("/api/v1/namespaces") is not None, "the API server does not answer")

    def _has_succeeded(self) -> bool:
        phase = (self._node.ask(f"{PODS}/job") or {})["status"]["phase"]
        expect(phase != "Failed", "the Job's pod failed")
        return bool(phase == "Succeeded")


def helm_state(node: Node) -> str:
    return node.machine.check("systemctl show --value --property=SubState uninstall").strip()


class AgentPod:
    """The agent in a pod of the DaemonSet."""

    def __init__(self, node: RealNode, release: Release, name: str) -> None:
        self._node = node
        self._path = f"{PODS}/{name}"
        release.start_agent(name)
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
        view = "--path.rootfs=/host" if command == "status" else VIEW
        line = f"{PROGRAM} {command} {view} -o json"
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
    """helm installs the chart; its pod puts a value in force; helm uninstalls, its Job takes it back."""
    assert isinstance(node, RealNode)
    machine = node.machine
    for image in (IMAGE, f"{PACKAGES}/kubectl.tar"):
        machine.check(f"{CTR} images import {image}", timeout=300)
    give_pods_a_network(node)
    node.add_pod("vm", 300, request=400, vm=True)
    node.await_running("vm")
    before = node.container_pids("vm")
    release = Release(node)
    release.install()
    agent = AgentPod(node, release, "agent-1")
    release.rolled_out()
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

    release.uninstall()
    agent.expect_no_error()
    agent.delete()
    expect(machine.find(OURS) is not None, "the deletion of the pod took the value back")
    agent = AgentPod(node, release, "agent-2")
    expect(machine.find(OURS) is None, "the value is still there")
    agent.expect_no_error()
    expect(release.job_state("wait") == "running", "the Job did not wait for the node")
    release.rolled_out()
    release.await_uninstalled()
    agent.delete()
    left = machine.check(f"ls -A /etc/rancher/rke2/config.yaml.d {STATE}")
    say(f"left behind: {left.split()}")
    machine.check("systemctl restart rke2-server.service", timeout=300)
    node.await_healthy(300)
    expect(not is_in_force(node), "the kubelet still has the value")
    expect(node.container_pids("vm") == before, "the VM was hurt")
