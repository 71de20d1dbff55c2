# SPDX-License-Identifier: Apache-2.0
"""The stand-in kubelet's configuration: how 1.34 merges and refuses it.

Source: kubernetes v1.34 cmd/kubelet/app/server.go mergeKubeletConfigurations(),
pkg/kubelet/eviction/helpers.go ParseThresholdConfig(), apimachinery resource.ParseQuantity().
"""

import math
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import yaml

API_VERSION = "kubelet.config.k8s.io/v1beta1"
MEMORY = "memory.available"
FILE_SYSTEM_SIGNALS = ("available", "inodesFree")
SIGNALS = {
    f"{part}fs.{of}" for part in ("node", "image", "container") for of in FILE_SYSTEM_SIGNALS
}
SIGNALS |= {MEMORY, "allocatableMemory.available", "pid.available"}
QUANTITY = re.compile(r"([+-]?)(\d*\.?\d*)([KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d+)")
BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
LIMIT = 2**63 - 1
# Flags that replace a whole map of the configuration, and the sign between key and value.
MAP_FLAGS = {
    "eviction-hard": ("evictionHard", "<"),
    "eviction-soft": ("evictionSoft", "<"),
    "eviction-soft-grace-period": ("evictionSoftGracePeriod", "="),
    "eviction-minimum-reclaim": ("evictionMinimumReclaim", "="),
    "kube-reserved": ("kubeReserved", "="),
    "system-reserved": ("systemReserved", "="),
}


class Refused(Exception):
    """What a kubelet ends for, with exit code 1."""


@dataclass(frozen=True)
class Amount:
    """Bytes, or a share of the capacity."""

    bytes: int = 0
    share: float | None = None

    def of(self, capacity: int) -> int:
        return self.bytes if self.share is None else int(capacity * self.share)


@dataclass(frozen=True)
class Threshold:
    """One memory threshold; without grace it is a hard one."""

    amount: Amount
    reclaim: Amount
    grace: float = 0


@dataclass
class Settings:
    """What the stand-in acts on, and the whole configuration as configz shows it."""

    config: dict[str, Any]
    hard: Threshold | None = None
    soft: Threshold | None = None
    reserved: int = 0
    max_pods: int = 110
    max_pod_grace: float = 0
    transition: float = 300
    thresholds: list[Threshold] = field(default_factory=list)


def quantity(text: str) -> int:
    """Bytes, rounded up. Raises ValueError for what the kubelet's grammar has no place for."""
    match = QUANTITY.fullmatch(text)
    if text == "" or match is None:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)...'")
    sign, digits, suffix = match.groups()
    number = Decimal(digits if digits not in ("", ".") else "0")
    if suffix in BINARY:
        number *= BINARY[suffix]
    else:
        number = number.scaleb(DECIMAL[suffix] if suffix in DECIMAL else int(suffix[1:]))
    value = min(int(number.to_integral_value(ROUND_CEILING)), LIMIT)
    return -value if sign == "-" else value


def float32(value: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def amount(text: Any, signal: str, zero_allowed: bool) -> Amount | None:
    """A threshold's or a reclaim's value. None: switched off ("0%", "100%")."""
    if not isinstance(text, str):
        raise Refused(f"json: cannot unmarshal {text!r} of {signal} into Go value of type string")
    if text.endswith("%"):
        if not zero_allowed and text in ("0%", "100%"):
            return None
        try:
            share = float32(float32(float(text.rstrip("%"))) / 100)
        except ValueError as error:
            raise Refused(f"invalid eviction percentage {text!r} of {signal}") from error
        if zero_allowed and share <= 0 or not 0 <= share <= (math.inf if zero_allowed else 1):
            raise Refused(f"eviction percentage {signal} out of range: {text}")
        return Amount(share=share)
    try:
        value = quantity(text)
    except ValueError as error:
        raise Refused(f"invalid eviction value {text!r} of {signal}: {error}") from error
    if value < 0 or (value == 0 and not zero_allowed):
        raise Refused(f"eviction threshold {signal} must be positive: {text}")
    return Amount(bytes=value)


def seconds(text: str) -> float:
    """A Go duration."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)", text)
    if text == "0":
        return 0
    if "".join(number + unit for number, unit in parts) != text or not parts:
        raise Refused(f"time: invalid duration {text!r}")
    return sum(float(number) * units[unit] for number, unit in parts)


def signal_map(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name) or {}
    for signal in found:
        if signal not in SIGNALS:
            raise Refused(f"unsupported eviction signal {signal}")
    return found


def amounts(config: dict[str, Any], name: str, zero_allowed: bool) -> dict[str, Amount | None]:
    found = signal_map(config, name)
    return {signal: amount(value, signal, zero_allowed) for signal, value in found.items()}


def soft_grace(config: dict[str, Any], signals: dict[str, Amount | None]) -> dict[str, float]:
    texts = signal_map(config, "evictionSoftGracePeriod")
    graces = {signal: seconds(text) for signal, text in texts.items()}
    for signal, value in signals.items():
        if value is not None and signal not in graces:
            raise Refused(f"grace period must be specified for the soft threshold {signal}")
    return graces


def add_thresholds(settings: Settings) -> None:
    config = settings.config
    hard = amounts(config, "evictionHard", zero_allowed=False)
    soft = amounts(config, "evictionSoft", zero_allowed=False)
    reclaim = amounts(config, "evictionMinimumReclaim", zero_allowed=True)
    graces = soft_grace(config, soft)
    memory_reclaim = reclaim.get(MEMORY) or Amount()
    if value := hard.get(MEMORY):
        settings.hard = Threshold(value, memory_reclaim)
    if value := soft.get(MEMORY):
        settings.soft = Threshold(value, memory_reclaim, graces[MEMORY])
    settings.thresholds = [one for one in (settings.hard, settings.soft) if one is not None]


def reserved_memory(config: dict[str, Any]) -> int:
    total = 0
    for name in ("kubeReserved", "systemReserved"):
        try:
            total += quantity(str((config.get(name) or {}).get("memory", "0")))
        except ValueError as error:
            raise Refused(f"failed to parse {name}: {error}") from error
    return total


def drop_in_files(folder: str) -> Iterator[Path]:
    """As filepath.WalkDir: entries by name, into folders where they come. Only .conf counts."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise Refused(f"failed to walk through dropin directory {folder!r}: {error}") from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from drop_in_files(entry.path)
        elif entry.name.endswith(".conf"):
            yield Path(entry.path)


def unloadable(file: Path, why: object) -> Refused:
    return Refused(f"failed to load kubelet dropin file, path: {file}, error: {why}")


def read_drop_in(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeError) as error:
        raise unloadable(file, error) from error
    if not isinstance(content, dict):
        raise unloadable(file, "no object")
    kind = (content.get("apiVersion"), content.get("kind"))
    if kind != (API_VERSION, "KubeletConfiguration"):
        raise unloadable(file, f"invalid apiVersion or kind {kind}")
    return content


def merge(base: Any, patch: Any) -> Any:
    """RFC 7386: objects key by key, null deletes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def flag_values(argv: list[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for argument in argv:
        name, _, value = argument.removeprefix("--").partition("=")
        values.setdefault(name, []).append(value)
    return values


def flag_map(texts: list[str], sign: str) -> dict[str, str]:
    """The first occurrence of a flag clears the map, all of them add to it."""
    result: dict[str, str] = {}
    for pair in (pair for text in texts for pair in text.split(",") if pair):
        key, found, value = pair.partition(sign)
        if not found:
            raise Refused(f"malformed pair, expect string{sign}string: {pair!r}")
        result[key.strip()] = value.strip()
    return result


def load(argv: list[str], capacity: int) -> Settings:
    """Everything a kubelet with these arguments would run with. Raises Refused."""
    flags = flag_values(argv)
    config: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "KubeletConfiguration"}
    for file in flags.get("config", [])[-1:]:
        config = merge(config, read_drop_in(Path(file)))
    for folder in flags.get("config-dir", [])[-1:]:
        for file in drop_in_files(folder):
            config = merge(config, read_drop_in(file))
    for flag, (name, sign) in MAP_FLAGS.items():
        if flag in flags:
            config[name] = flag_map(flags[flag], sign)
    if "max-pods" in flags:
        config["maxPods"] = int(flags["max-pods"][-1])
    settings = Settings(config, reserved=reserved_memory(config))
    add_thresholds(settings)
    settings.max_pods = config.get("maxPods") or 110
    settings.max_pod_grace = config.get("evictionMaxPodGracePeriod") or 0
    # An explicit zero in a file is taken for absent.
    settings.transition = seconds(config.get("evictionPressureTransitionPeriod") or "0s") or 300
    hard = settings.hard.amount.of(capacity) if settings.hard else 0
    if settings.reserved + hard > capacity:
        raise Refused(
            'invalid Node Allocatable configuration. Resource "memory" has a reservation of '
            f"{settings.reserved + hard} but capacity of {capacity}"
        )
    return settings
