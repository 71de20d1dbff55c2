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
TOKEN = "e2e-token"  # of an administrator


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
        self.machine.wait_for("the node is registered", lambda: self.ask(NODE), 600, every=5)

    def await_pods_known(self) -> None:
        self.machine.wait_for("the API server answers", lambda: self.ask(NODE), 600, every=5)

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
        self.send("POST", PODS, body)

    def pod(self, name: str) -> dict[str, Any]:
        found = self.ask(f"{PODS}/{name}")
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
        status = (self.ask(NODE) or {})["status"]
        return in_bytes(status["capacity"]["memory"]), in_bytes(status["allocatable"]["memory"])

    # -- the API server ---------------------------------------------------------------------------

    def ask(self, path: str, token: str = TOKEN) -> dict[str, Any] | None:
        """None: it does not answer, or with an error."""
        outcome = self.machine.run(curl(path, token))
        return json.loads(outcome.out) if outcome.code == 0 else None

    def send(
        self, method: str, path: str, body: Any, token: str = TOKEN, kind: str = "json"
    ) -> dict[str, Any]:
        """What it answers. kind: of the body, "strategic-merge-patch+json" for a patch."""
        command = f"{curl(path, token)} -X {method} -H 'Content-Type: application/{kind}' --data @-"
        answer: dict[str, Any] = json.loads(self.machine.check(command, json.dumps(body).encode()))
        return answer


def curl(path: str, token: str) -> str:
    return (
        f"curl -s --fail-with-body --max-time 20 --cacert {DATA}/agent/server-ca.crt "
        f"-H 'Authorization: Bearer {token}' '{API}{path}'"
    )


def in_bytes(quantity: str) -> int:
    """Of a memory figure of the Node object: "4020996Ki" or "4117499904"."""
    if quantity.endswith("Ki"):
        return int(quantity[:-2]) * 1024
    return int(quantity)
