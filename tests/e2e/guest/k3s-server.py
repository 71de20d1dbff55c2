# SPDX-License-Identifier: Apache-2.0
"""Stands for k3s' process: containerd is its child, the kubelet runs within it.

Source: k3s v1.34 pkg/agent/config/config.go, pkg/daemons/agent/agent_linux.go: it hands the kubelet
its drop-in directory, below its own data directory, and shows none of the kubelet's flags.
"""

import os
import sys
from pathlib import Path

import kubelet
import rke2
import rke2_config

CONFIG_DIR = Path("/var/lib/rancher/k3s/agent/etc/kubelet.conf.d")


def main() -> None:
    service_manager = os.environ.pop("NOTIFY_SOCKET")  # not for the children
    CONFIG_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    defaults = rke2_config.default_file(rke2.DATA / "agent")
    (CONFIG_DIR / "00-k3s-defaults.conf").write_text(defaults, encoding="utf-8")
    rke2.start_containerd()
    rke2.notify_ready(service_manager)
    endpoint = f"--container-runtime-endpoint=unix://{rke2.CONTAINERD_SOCKET}"
    sys.argv[1:] = [endpoint, f"--config-dir={CONFIG_DIR}"]
    kubelet.main()


if __name__ == "__main__":
    main()
