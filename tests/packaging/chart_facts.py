#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""chart_facts.py RENDERED.yaml MODE DISTRIBUTION [kernelLog]: what has to hold of the chart's output, whatever its
values; prints it as a JSON list for the schemas' check."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


def the(objects: list[Object], kind: str) -> Object:
    found = [one for one in objects if one["kind"] == kind]
    assert len(found) == 1, f"{len(found)} of kind {kind}"
    return found[0]


def check_container(container: Object, volumes: dict[str, Object]) -> None:
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    # The kernel's log is the one thing that is not to be had otherwise.
    assert context["privileged"] is ("kmsg" in volumes)
    if not context["privileged"]:
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"], "add": ["SYS_PTRACE", "SYS_RESOURCE"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["seLinuxOptions"] == {"type": "spc_t"}
    resources = container["resources"]
    assert resources["requests"] == resources["limits"] != {}, "not Guaranteed"
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        host = volume.get("hostPath", {}).get("path", "")
        # A file that is renamed over goes stale in a mount of it alone; a device is not.
        assert "subPath" not in mount
        kind = volume.get("hostPath", {}).get("type", "Directory")
        assert kind.startswith("Directory") or (host, kind) == ("/dev/kmsg", "CharDevice")
        # What has mounts of pods below it must see them go.
        if host == "/var/lib/kubelet" or host.endswith("/agent"):
            assert mount["mountPropagation"] == "HostToContainer", host
        may_write = host.endswith(("/agent/etc", "eviction-agent", "kubelet.conf.d"))
        may_write = may_write or host in ("/etc/rancher/rke2", "/etc/rancher/k3s")
        assert mount.get("readOnly", False) != may_write, f"{host} readOnly: {not may_write}"
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == volumes.keys(), f"not mounted: {volumes.keys() - mounted}"


def check_daemon_set(daemon_set: Object, mode: str, distribution: str, kernel_log: bool) -> None:
    pod = daemon_set["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert daemon_set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] == 1
    assert pod["hostPID"] and pod["hostNetwork"]
    assert pod["priorityClassName"] == "system-node-critical"
    assert {"operator": "Exists"} in pod["tolerations"]
    assert pod["automountServiceAccountToken"] is False
    back = pod["initContainers"]
    does = "rollback" if mode == "removed" else "version"
    assert [(one["name"], one["args"][0]) for one in back] == [("put-back", does)]
    for container in pod["containers"] + back:
        check_container(container, volumes)
    assert ("kmsg" in volumes) == kernel_log
    assert ("dbus" in volumes) == (distribution != "rke2")
    (agent,) = pod["containers"]
    (mount,) = (one for one in agent["volumeMounts"] if one["name"] == "configuration")
    name = "removed" if mode == "removed" else "eviction-agent"
    assert f"--config={mount['mountPath']}/{name}.ini" in agent["args"]


def check_owned(patch: Any, rendered: Any, where: str) -> None:
    """Helm sets back no more than it rendered."""
    if isinstance(patch, dict):
        for key, value in patch.items():
            assert key in rendered, f"{where}.{key} is not of the chart"
            check_owned(value, rendered[key], f"{where}.{key}")
    elif isinstance(patch, list) and isinstance(patch[0], dict):
        named = {one["name"]: one for one in rendered}
        for one in patch:
            check_owned(one, named[one["name"]], f"{where}.{one['name']}")


def check_put_back(job: Object, daemon_set: Object) -> None:
    pod = job["spec"]["template"]["spec"]
    (patch_container,) = pod["initContainers"]
    option = [word for word in patch_container["command"] if word.startswith("--patch=")]
    patch = json.loads(option[0].removeprefix("--patch="))
    check_owned(patch, daemon_set, "the DaemonSet")
    changed = patch["spec"]["template"]["spec"]
    assert [one["args"][0] for one in changed["initContainers"]] == ["rollback"]
    (agent,) = changed["containers"]
    assert "--config=/host/etc/eviction-agent/removed.ini" in agent["args"]
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
    agents = daemon_set["spec"]["template"]["spec"]
    assert pod.get("imagePullSecrets") == agents.get("imagePullSecrets")
    # A server that is the only node, but none that does not answer.
    keys = {one.get("key", "all") for one in pod["tolerations"]}
    servers = {f"node-role.kubernetes.io/{role}" for role in ("control-plane", "etcd")}
    assert servers | {"CriticalAddonsOnly"} <= keys
    assert not keys & {"all", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}


def check_monitoring(objects: list[Object]) -> None:
    """Alerts and dashboard are those of packaging/, byte for byte in what they say."""
    for rule in (one for one in objects if one["kind"] == "PrometheusRule"):
        with open(PACKAGING / "alerts.yaml", encoding="utf-8") as file:
            assert rule["spec"] == yaml.safe_load(file)
    for board in (one for one in objects if one["metadata"]["name"].endswith("-dashboard")):
        with open(PACKAGING / "dashboard.json", encoding="utf-8") as file:
            assert json.loads(board["data"]["eviction-agent.json"]) == json.load(file)
    for monitor in (one for one in objects if one["kind"] == "PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["honorLabels"], "a pod's namespace would be the agent's"
        assert endpoint["relabelings"] == [
            {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "instance"}
        ]


def main() -> None:
    path, mode, distribution, *more = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        objects = [one for one in yaml.safe_load_all(file) if one]
    check_daemon_set(the(objects, "DaemonSet"), mode, distribution, more == ["kernelLog"])
    role = the(objects, "ClusterRole")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes/configz"], "verbs": ["get"]}]
    check_monitoring(objects)
    (ini,) = (one["data"] for one in objects if "removed.ini" in one.get("data", {}))
    assert f"mode = {'observe' if mode == 'removed' else mode}\n" in ini["eviction-agent.ini"]
    assert "mode = observe\n" in ini["removed.ini"]
    for job in (one for one in objects if one["kind"] == "Job"):
        check_put_back(job, the(objects, "DaemonSet"))
    json.dump(objects, sys.stdout)


main()
