# SPDX-License-Identifier: Apache-2.0
"""A node with a real kubelet, containerd, API server and etcd."""

import json
from typing import Any

from machine.machine import Machine
from machine.payload import IMAGE
from node import DATA, Node, Pod

API = "https://127.0.0.1:6443"
NODE = "/api/v1/nodes/e2e-node"
PODS = "/api/v1/namespaces/default/pods"


class RealNode(Node):
    """version as RKE2 writes it (v1.20.2-rke2r1); folder: where the payload has its programs."""

    def __init__(self, machine: Machine, version: str, folder: str) -> None:
        super().__init__(machine)
        self._version = version
        self._folder = folder

    def set_up(self) -> None:
        # What the system takes, the API server and etcd included, as an administrator gives it.
        reserved = 'kubelet-arg: ["system-reserved=memory=800Mi"]\n'
        self.machine.write("/etc/rancher/rke2/config.yaml", reserved)
        self.machine.check(f"/opt/e2e/guest/install {self._version} {self._folder}", timeout=900)
        self.await_healthy(600)
        self.machine.wait_for("the node is registered", lambda: self._ask(NODE), 600, every=5)

    def create_pod(self, pod: Pod) -> None:
        limits = {} if pod.limit is None else {"memory": f"{pod.limit}Mi"}
        container = {
            "name": pod.container,
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": pod.command,
            "resources": {"requests": {"memory": f"{pod.request}Mi"}, "limits": limits},
        }
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod.name},
            "spec": {
                "nodeName": "e2e-node",
                "hostNetwork": True,
                "automountServiceAccountToken": False,
                "restartPolicy": "Always" if pod.restart else "Never",
                "terminationGracePeriodSeconds": 1,
                "tolerations": [{"operator": "Exists"}],
                "containers": [container],
            },
        }
        self.machine.check("sleep 1")  # creation times have whole seconds, and each pod is newer
        self.machine.check(
            f"{self._curl(PODS)} -H 'Content-Type: application/json' --data @-",
            stdin=json.dumps(body).encode(),
        )

    def pod(self, name: str) -> dict[str, Any]:
        found = self._ask(f"{PODS}/{name}")
        if found is None:
            return {}
        status = found["status"]
        reason, message = status.get("reason", ""), status.get("message", "")
        for container in status.get("containerStatuses", []):
            ended = container["state"].get("terminated", {})
            reason = reason or ended.get("reason", "")
        uid = found["metadata"]["uid"]
        return {"uid": uid, "phase": status["phase"], "reason": reason, "message": message}

    def memory(self) -> tuple[int, int]:
        status = (self._ask(NODE) or {})["status"]
        return in_bytes(status["capacity"]["memory"]), in_bytes(status["allocatable"]["memory"])

    def _curl(self, path: str) -> str:
        token = "Authorization: Bearer e2e-token"
        return (
            f"curl -sf --max-time 20 --cacert {DATA}/agent/server-ca.crt -H '{token}' {API}{path}"
        )

    def _ask(self, path: str) -> dict[str, Any] | None:
        outcome = self.machine.run(self._curl(path))
        return json.loads(outcome.out) if outcome.code == 0 else None


def in_bytes(quantity: str) -> int:
    """Of a memory figure of the Node object: "4020996Ki" or "4117499904"."""
    if quantity.endswith("Ki"):
        return int(quantity[:-2]) * 1024
    return int(quantity)
