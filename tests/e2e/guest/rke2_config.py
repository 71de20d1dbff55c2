# SPDX-License-Identifier: Apache-2.0
"""RKE2's configuration files and what it makes of them for the kubelet.

Source: k3s v1.34 pkg/configfilearg/parser.go, pkg/util/args.go, pkg/daemons/agent/agent.go.
"""

import os
from pathlib import Path
from typing import Any

import yaml

MAIN_FILE = Path("/etc/rancher/rke2/config.yaml")
# From 1.32 in 00-rke2-defaults.conf, before that as flags: no memory signal either way.
DEFAULT_HARD = {"imagefs.available": "5%", "nodefs.available": "5%"}
DEFAULT_RECLAIM = {"imagefs.available": "10%", "nodefs.available": "10%"}


def files(main: Path = MAIN_FILE) -> list[Path]:
    """The main file, then the drop-ins by the bytes of their names."""
    folder = Path(f"{main}.d")
    names = sorted(os.listdir(folder), key=os.fsencode) if folder.is_dir() else []
    drop_ins = [folder / name for name in names if name.lower().endswith((".yaml", ".yml"))]
    return ([main] if main.exists() else []) + [file for file in drop_ins if file.is_file()]


def as_list(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(item) for item in values]


def kubelet_args(main: Path = MAIN_FILE) -> list[str]:
    """kubelet-arg of all files: "kubelet-arg" replaces, "kubelet-arg+" appends.

    Raises yaml.YAMLError for a file that is none, at which RKE2 does not start.
    """
    arguments: list[str] = []
    for file in files(main):
        content = yaml.safe_load(file.read_bytes()) or {}
        for key, value in content.items():
            if key == "kubelet-arg":
                arguments = as_list(value)
            elif key == "kubelet-arg+":
                arguments += as_list(value)
    return arguments


def merge(defaults: dict[str, str], arguments: list[str]) -> list[str]:
    """Flags sorted by name; an argument takes the default's place, a repeated one stays repeated.

    NAME+=VALUE comes behind the default, NAME-=VALUE before it.
    """
    flags: dict[str, list[str]] = {name: [value] for name, value in defaults.items()}
    given: set[str] = set()
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name.endswith("+"):
            flags.setdefault(name[:-1], []).append(value)
        elif name.endswith("-"):
            flags.setdefault(name[:-1], []).insert(0, value)
        else:
            if name in defaults and name not in given:
                flags[name] = []
            flags.setdefault(name, []).append(value)
            given.add(name)
    return [f"--{name}={value}" for name in sorted(flags) for value in flags[name]]


def joined(pairs: dict[str, str], sign: str) -> str:
    return ",".join(f"{name}{sign}{value}" for name, value in pairs.items())


def default_flags(agent: Path) -> dict[str, str]:
    """What RKE2 <= 1.31 passes. agent: DATA/agent."""
    return {
        "anonymous-auth": "false",
        "authentication-token-webhook": "true",
        "authorization-mode": "Webhook",
        "cgroup-driver": "systemd",
        "client-ca-file": f"{agent}/server-ca.crt",
        "container-runtime": "remote",  # up to 1.26
        "eviction-hard": joined(DEFAULT_HARD, "<"),
        "eviction-minimum-reclaim": joined(DEFAULT_RECLAIM, "="),
        "fail-swap-on": "false",
        "healthz-bind-address": "127.0.0.1",
        "read-only-port": "0",
        "tls-cert-file": f"{agent}/serving-kubelet.crt",
        "tls-private-key-file": f"{agent}/serving-kubelet.key",
    }


def default_file(agent: Path) -> str:
    """00-rke2-defaults.conf, as defaultKubeletConfig() has it. agent: DATA/agent."""
    content = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{agent}/server-ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "systemd",
        "evictionHard": DEFAULT_HARD,
        "evictionMinimumReclaim": DEFAULT_RECLAIM,
        "evictionPressureTransitionPeriod": "5m0s",
        "failSwapOn": False,
        "healthzBindAddress": "127.0.0.1",
        "nodeStatusUpdateFrequency": "10s",
        "serializeImagePulls": False,
        "shutdownGracePeriod": "0s",
        "tlsCertFile": f"{agent}/serving-kubelet.crt",
        "tlsPrivateKeyFile": f"{agent}/serving-kubelet.key",
    }
    return str(yaml.safe_dump(content))
