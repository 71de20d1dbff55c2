# SPDX-License-Identifier: Apache-2.0
"""Programs for a real node that are given from outside."""

import argparse
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

FIRST_MINOR = 32  # RKE2 passes --config-dir from 1.32 on
CONTAINERD = ("containerd", "containerd-shim-runc-v2", "ctr", "runc")


class Unfit(Exception):
    """What is wrong with them."""


@dataclass(frozen=True)
class Programs:
    kubelet: Path
    kube_apiserver: Path
    etcd: Path
    containerd: Path  # a folder

    @property
    def version(self) -> str:
        """Of an RKE2 with this kubelet."""
        return f"{kubelet_version(self.kubelet)}-rke2r1"

    def copy(self, folder: Path) -> None:
        """All of them, under the names they are run by."""
        folder.mkdir()
        for name, file in (
            ("kubelet", self.kubelet),
            ("kube-apiserver", self.kube_apiserver),
            ("etcd", self.etcd),
            *((file.name, file) for file in self.containerd.iterdir() if file.is_file()),
        ):
            shutil.copy(file, folder / name)


def kubelet_version(kubelet: Path) -> str:
    """v1.36.2. Raises Unfit."""
    try:
        said = subprocess.check_output([kubelet, "--version"], text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unfit(f"{kubelet} --version: {error}") from error
    match = re.fullmatch(r"Kubernetes (v\d+\.\d+\.\d+)\S*", said.strip())  # "Kubernetes v1.36.2"
    if match is None:
        raise Unfit(f"{kubelet} is no kubelet: --version says {said.strip()!r}")
    return match.group(1)


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("real programs for the drop-in target, all or none")
    group.add_argument("--kubelet", type=Path, metavar="FILE", help=f"1.{FIRST_MINOR} or later")
    group.add_argument("--kube-apiserver", type=Path, metavar="FILE")
    group.add_argument("--etcd", type=Path, metavar="FILE")
    group.add_argument(
        "--containerd", type=Path, metavar="DIR", help=f"holds {', '.join(CONTAINERD)}"
    )


def from_options(arguments: argparse.Namespace) -> Programs | None:
    """None: nothing is given. Raises Unfit."""
    paths = [getattr(arguments, name) for name in Programs.__dataclass_fields__]
    if not any(paths):
        return None
    if not all(paths):
        raise Unfit("--kubelet, --kube-apiserver, --etcd and --containerd belong together")
    programs = Programs(*paths)
    for file in (*paths[:3], *(programs.containerd / name for name in CONTAINERD)):
        if not file.is_file():
            raise Unfit(f"there is no file {file}")
    version = kubelet_version(programs.kubelet)
    if int(version.split(".")[1]) < FIRST_MINOR:
        raise Unfit(
            f"{programs.kubelet} is {version}: RKE2 gives a kubelet --config-dir from "
            f"1.{FIRST_MINOR} on; the args target has a kubelet of its own"
        )
    return programs
