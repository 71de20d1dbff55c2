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
    """folder: where the payload has its programs; reserved: MiB, for all that is no pod."""

    def __init__(self, machine: Machine, version: str, folder: str, reserved: int = 0) -> None:
        super().__init__(machine, version)
        self._folder = folder
        self._reserved = reserved

    def set_up(self) -> None:
        if self._reserved:
            arguments = f'kubelet-arg: ["system-reserved=memory={self._reserved}Mi"]\n'
            self.machine.write("/etc/rancher/rke2/config.yaml", arguments)
        self.machine.check(f"/opt/e2e/guest/install {self.version} {self._folder}", timeout=900)
        self.await_healthy(600)
        self.machine.wait_for("the node is registered", lambda: self._ask(NODE), 600, every=5)

    def await_pods_known(self) -> None:
        self.machine.wait_for("the API server answers", lambda: self._ask(NODE), 600, every=5)

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
