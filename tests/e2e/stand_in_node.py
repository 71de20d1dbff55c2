# SPDX-License-Identifier: Apache-2.0
"""A node whose kubelet is the stand-in; files in the machine take the API server's place."""

import json
from typing import Any

from machine.machine import Machine
from node import Node, Pod, uid_of

VERSION = "v1.34.2-rke2r1"
PODS = "/var/lib/e2e/pods"
STATUS = "/var/lib/e2e/status.json"


class StandInNode(Node):
    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, VERSION)
        self._created = 0

    def set_up(self) -> None:
        self.machine.check(f"/opt/e2e/guest/install {self.version}", timeout=300)
        self.await_healthy(300)

    def create_pod(self, pod: Pod) -> None:
        self._created += 1
        description = {
            "uid": uid_of(pod.name),
            "namespace": "default",
            "name": pod.name,
            "created": self._created,
            "command": pod.command,
            "container": pod.container,
            "request": pod.request,
            "limit": pod.limit,
            "restart": pod.restart,
        }
        self.machine.write(f"{PODS}/{pod.name}.json", json.dumps(description))

    def pod(self, name: str) -> dict[str, Any]:
        uid = uid_of(name)
        found: dict[str, Any] = self._status()["pods"].get(uid, {})
        return {"uid": uid} | found

    def memory(self) -> tuple[int, int]:
        node = self._status()["node"]
        return node["capacity"], node["allocatable"]

    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.machine.read(STATUS))
        return status
