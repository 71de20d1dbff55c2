# SPDX-License-Identifier: Apache-2.0
"""The machine's second disk: what changes from run to run. Mounted read-only at /opt/e2e."""

import io
import json
import shutil
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path

SLACK_MIB = 32
IMAGE = "docker.io/e2e/workload:1"
PATHS_IN_IMAGE = ("usr/local/bin/workload", "usr/bin/virt-launcher-monitor")


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Authority:
    """Signs certificates, as RKE2's server does for its node."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._make("server-ca", "/CN=rke2-server-ca")

    def sign(self, name: str, subject: str) -> None:
        """NAME.crt and NAME.key, for a client or for a server on this node."""
        ca = self._folder / "server-ca"
        names = "DNS:e2e-node,DNS:localhost,IP:127.0.0.1,IP:10.0.0.1,IP:10.43.0.1"
        self._make(
            *(name, subject, "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-addext", f"subjectAltName={names}"),
        )

    def _make(self, name: str, subject: str, *more: str) -> None:
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
        files = ("-keyout", self._folder / f"{name}.key", "-out", self._folder / f"{name}.crt")
        run("openssl", "req", "-x509", "-days", "30", *key, "-subj", subject, *more, *files)


def make_certificates(folder: Path) -> None:
    authority = Authority(folder)
    authority.sign("serving-kubelet", "/CN=e2e-node")
    authority.sign("serving-kube-apiserver", "/CN=kube-apiserver")
    authority.sign("client-kubelet", "/O=system:nodes/CN=system:node:e2e-node")
    authority.sign("client-admin", "/O=system:masters/CN=system:admin")


def add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = mode
    archive.addfile(entry, io.BytesIO(data))


def container_image(name: str, program: bytes, *paths: str) -> bytes:
    """A docker-archive of one static program, under each of these paths."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for path in paths:
            add(archive, path, program, 0o755)
    digest = sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [f"/{paths[0]}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    image = io.BytesIO()
    with tarfile.open(fileobj=image, mode="w") as archive:
        add(archive, "manifest.json", json.dumps(manifest).encode())
        add(archive, "config.json", json.dumps(config).encode())
        add(archive, "layer.tar", layer.getvalue())
    return image.getvalue()


def make(guest: Path, programs: dict[str, Path], folders: dict[str, Path], scratch: Path) -> Path:
    """A new disk image in scratch: the guest's files, programs (name: file) without their debugging
    symbols, and folders (name: folder) as they are. "workload" is among the programs."""
    tree = scratch / "payload"
    shutil.copytree(guest, tree / "guest", ignore=shutil.ignore_patterns("__pycache__", "*.cc"))
    make_certificates(tree / "tls")
    (tree / "bin").mkdir()
    for name, file in programs.items():
        run("strip", "-o", tree / "bin" / name, file)
    workload = (tree / "bin/workload").read_bytes()
    (tree / "image.tar").write_bytes(container_image(IMAGE, workload, *PATHS_IN_IMAGE))
    for name, folder in folders.items():
        shutil.copytree(folder, tree / name)
    size = sum(file.stat().st_size for file in tree.rglob("*") if file.is_file())
    image = scratch / "payload.img"
    with image.open("wb") as disk:
        disk.truncate((size // (1 << 20) * 5 // 4 + SLACK_MIB) << 20)
    run("mke2fs", "-q", "-t", "ext4", "-L", "payload", "-d", tree, image)
    shutil.rmtree(tree)
    return image
