# SPDX-License-Identifier: Apache-2.0
"""The image under the chart's mounts and rights, in containerd, on a node with a kubelet."""

import json
from typing import Any

from node import Node, expect, say

from . import Kind, scenario
from .transaction import add_pods, expect_in_force, expect_untouched, phase

IMAGE = "/opt/e2e/packages/image.tar"  # of tests/packaging/run
CHART = "/opt/e2e/packages/chart.yaml"
TO_JSON = (
    "python3 -c 'import json, sys, yaml;"
    " json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)'"
)
CTR = "ctr --address /run/k3s/containerd/containerd.sock --namespace k8s.io"
PROGRAM = "/usr/sbin/eviction-agent"
VIEW = "--path.rootfs=/host --path.procfs=/proc"
# What ctr gives by itself. Source: containerd 1.6 oci/spec.go defaultUnixCaps().
CTR_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"),
    *("SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
)


class Container:
    """The DaemonSet's container, run by ctr as its kubelet would have it run."""

    def __init__(self, node: Node) -> None:
        self._machine = node.machine
        objects = [one for one in json.loads(node.machine.check(f"{TO_JSON} <{CHART}")) if one]
        (daemon_set,) = (one for one in objects if one["kind"] == "DaemonSet")
        (self._config,) = (one["data"] for one in objects if "removed.ini" in one.get("data", {}))
        pod = daemon_set["spec"]["template"]["spec"]
        expect(pod["hostNetwork"] and pod["hostPID"], "not in the host's namespaces")
        (container,) = pod["containers"]
        self.arguments = " ".join(container["args"])
        self.probe = " ".join(container["readinessProbe"]["exec"]["command"])
        self.image = node.machine.check(f"{CTR} images import {IMAGE}").split()[1]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        self._options = " ".join(
            [
                "--net-host --with-ns pid:/proc/1/ns/pid",
                *self._rights(container["securityContext"]),
                *(self._mount(one, volumes[one["name"]]) for one in container["volumeMounts"]),
            ]
        )

    def _rights(self, context: dict[str, Any]) -> list[str]:
        expect(not context["privileged"] and context["readOnlyRootFilesystem"], f"{context}")
        expect(context["capabilities"]["drop"] == ["ALL"], f"{context}")
        return [
            "--read-only --seccomp",
            *(f"--cap-drop CAP_{name}" for name in CTR_CAPABILITIES),
            *(f"--cap-add CAP_{name}" for name in context["capabilities"]["add"]),
        ]

    def _mount(self, mount: dict[str, Any], volume: dict[str, Any]) -> str:
        source = f"/run/e2e/{mount['name']}"
        if "hostPath" in volume:
            source = volume["hostPath"]["path"]
            create = volume["hostPath"]["type"] == "DirectoryOrCreate"
            self._machine.check(f"{'mkdir -p' if create else 'test -d'} {source}")
        elif "configMap" in volume:
            for name, text in self._config.items():
                self._machine.write(f"{source}/{name}", text)
        else:
            self._machine.write(f"{source}/token", self._machine.read("/etc/e2e/token").strip())
        access = "ro" if mount.get("readOnly") else "rw"
        slave = mount.get("mountPropagation") == "HostToContainer"
        options = f"rbind:{access}:{'rslave' if slave else 'rprivate'}"
        return f"--mount type=bind,src={source},dst={mount['mountPath']},options={options}"

    def run(self, name: str, how: str, arguments: str) -> str:
        """What it prints."""
        command = f"{CTR} run {how} {self._options} {self.image} {name} {PROGRAM} {arguments} 2>&1"
        return self._machine.check(command, timeout=120)


@scenario(Kind.DROP_IN)
def contained(node: Node) -> None:
    """The image, with the chart's mounts and rights: puts a value in force, and takes it back."""
    machine = node.machine
    before = add_pods(node)
    kubelet = node.kubelet_pid()
    container = Container(node)
    container.run("agent", "--detach --log-uri file:///var/log/agent.log", container.arguments)
    probe = f"{CTR} tasks exec --exec-id probe agent {container.probe}"
    machine.wait_for("its probe passes", lambda: machine.run(probe).code == 0, 60)
    machine.wait_for("the value is committed", lambda: phase(node) == "committed", 900, every=5)
    expect(node.kubelet_pid() != kubelet, "the kubelet was not restarted")
    expect_in_force(node, before)
    status = f"{CTR} tasks exec --exec-id status agent {PROGRAM} status --path.rootfs=/host"
    say(machine.check(status))
    in_force = machine.wait_for(
        "it knows what the kubelet has",
        lambda: json.loads(machine.check(f"{status} -o json"))["in_force"],
        120,
    )
    expect(in_force["source"] == "the kubelet's /configz", f"it did not use its token: {in_force}")

    machine.check(f"{CTR} tasks kill --signal SIGTERM agent")
    machine.wait_for("it ends", lambda: "STOPPED" in machine.check(f"{CTR} tasks list"), 30)
    log = machine.read("/var/log/agent.log")
    expect("error" not in log, f"it says:\n{log}")
    say(container.run("put-back", "--rm", f"rollback {VIEW}"))
    node.restart_kubelet()
    expect_untouched(node, before)
