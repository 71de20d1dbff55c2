#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""as_mounted.py ROOT RENDERED.yaml NODE: runs the image's files below ROOT with the mounts that the chart
gives its container, of the recorded node below NODE. As root, in a mount namespace of its own."""

import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

PROGRAM = "/usr/sbin/eviction-agent"
VIEW = ["--path.rootfs=/host", "--path.procfs=/proc"]
Object = dict[str, Any]


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def bind(source: Path, target: Path, read_only: bool) -> None:
    target.mkdir(parents=True, exist_ok=True)
    mount("--bind", str(source), str(target))
    if read_only:
        mount("--options", "remount,bind,ro", str(target))


class Container:
    def __init__(self, root: Path, rendered: Path, node: Path) -> None:
        with open(rendered, encoding="utf-8") as file:
            objects = [one for one in yaml.safe_load_all(file) if one]
        (daemon_set,) = (one for one in objects if one["kind"] == "DaemonSet")
        (self._config,) = (one["data"] for one in objects if "removed.ini" in one.get("data", {}))
        pod = daemon_set["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        self.arguments: list[str] = container["args"]
        self.probe: list[str] = container["readinessProbe"]["exec"]["command"]
        self._mounts = container["volumeMounts"]
        self._volumes = {volume["name"]: volume for volume in pod["volumes"]}
        self.root, self._node = root, node

    def source(self, name: str) -> Path:
        """Of a volume."""
        volume = self._volumes[name]
        if "hostPath" in volume:
            source = self._node / str(volume["hostPath"]["path"]).lstrip("/")
        else:
            source = self._node.parent / name
        # Of the node's own folders the recording has only those with something in them.
        source.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            for file, text in self._config.items():
                (source / file).write_text(text, encoding="utf-8")
        if "projected" in volume:
            (source / "token").write_text("none", encoding="utf-8")
        return source

    def set_up(self) -> None:
        for one in self._mounts:
            target = self.root / one["mountPath"].lstrip("/")
            bind(self.source(one["name"]), target, one.get("readOnly", False))
        bind(self._node / "proc", self.root / "proc", False)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["chroot", str(self.root), PROGRAM, *arguments]
        return subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)


def expect(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"as_mounted.py: {what}")


def same_as_whole(container: Container, node: Path, command: str) -> None:
    """The command says of the mounts what it says of the whole node."""
    mounted = container.run(command, *VIEW, "-o", "json")
    whole = subprocess.run(
        ["chroot", str(container.root), PROGRAM, command, "--path.rootfs=/whole", "-o", "json"],
        text=True,
        capture_output=True,
        check=False,
    )
    expect(mounted.returncode == whole.returncode, f"{command}: {mounted.stderr}{whole.stderr}")
    text = whole.stdout.replace("/whole/proc/", "/proc/").replace("/whole/", "/host/")
    expect(len(json.loads(mounted.stdout)) > 0, f"{command} says nothing")
    if mounted.stdout != text:
        for name, said in (("mounted", mounted.stdout), ("whole", text)):
            (node.parent / name).write_text(said, encoding="utf-8")
        subprocess.run(["diff", node.parent / "mounted", node.parent / "whole"], check=False)
        sys.exit(f"as_mounted.py: {command} says other things of the mounts than of the whole node")


def stands_down(container: Container, node: Path) -> None:
    """While an agent of a package holds the node, the container's ends and says why."""
    with open(node / "run/eviction-agent/run.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = container.run(*container.arguments)
    expect(second.returncode == 1, f"the second agent ended with {second.returncode}")
    expect("another eviction-agent on this host holds it" in second.stderr, second.stderr)
    print(second.stderr.strip())


def runs(container: Container, node: Path) -> None:
    """The daemon is ready by its probe, keeps its status on the host, and ends when it is told to."""
    with subprocess.Popen(["chroot", str(container.root), PROGRAM, *container.arguments]) as daemon:
        try:
            deadline = time.monotonic() + 30
            while container.run(*container.probe[1:]).returncode != 0:
                expect(daemon.poll() is None and time.monotonic() < deadline, "it is not ready")
                time.sleep(0.1)
            expect((node / "run/eviction-agent/status.json").exists(), "no status on the host")
            daemon.send_signal(signal.SIGTERM)
            expect(daemon.wait(30) == 0, "the daemon did not end well")
        finally:
            daemon.kill()


def puts_back(container: Container) -> None:
    """rollback, as the chart's removal runs it: the record goes, its folder is a mount and stays."""
    state = container.source("state")
    for name in ("state.json", "incidents.jsonl", "growth.json", "recording.bin"):
        (state / name).write_text("{}\n", encoding="utf-8")
    done = container.run("rollback", *VIEW)
    expect(done.returncode == 0, f"rollback: {done.stdout}{done.stderr}")
    expect(not list(state.iterdir()), f"rollback left {list(state.iterdir())}")


def loads(root: Path) -> None:
    """Each library finds all that it needs, those that are loaded later included."""
    (loader,) = (root / "lib64").iterdir()
    libraries = [path for path in root.glob("lib/*/*.so*") if path.is_file()]
    expect(any(path.name.startswith("libcurl") for path in libraries), "no libcurl")
    for path in libraries:
        command = [
            "chroot",
            str(root),
            f"/lib64/{loader.name}",
            "--list",
            f"/{path.relative_to(root)}",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    root, rendered, node = (Path(argument).resolve() for argument in sys.argv[1:])
    container = Container(root, rendered, node)
    mount("--bind", str(root), str(root))
    loads(root)
    container.set_up()
    bind(node, root / "whole", True)
    mount("--options", "remount,bind,ro", str(root))
    for command in ("plan", "check"):
        same_as_whole(container, node, command)
    stands_down(container, node)
    runs(container, node)
    puts_back(container)


main()
