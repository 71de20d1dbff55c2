# SPDX-License-Identifier: Apache-2.0
"""When the stand-in kubelet evicts, and whom. No I/O.

Source: kubernetes v1.34 pkg/kubelet/eviction/{eviction_manager,helpers}.go.
"""

from dataclasses import dataclass, field

from kubelet_config import Settings, Threshold
from kubelet_pods import Pod

HARD_GRACE = 1.0


@dataclass(frozen=True)
class Signal:
    """A threshold and what it is compared with."""

    threshold: Threshold
    allocatable: bool  # of kubepods, the copy of a hard threshold; otherwise of the node


@dataclass(frozen=True)
class Observation:
    """Bytes."""

    capacity: int
    node_available: int
    pods_available: int

    def of(self, signal: Signal) -> int:
        return self.pods_available if signal.allocatable else self.node_available


@dataclass(frozen=True)
class Verdict:
    """The threshold acted on, and how long the victim has."""

    signal: Signal
    grace: float


def signals_of(settings: Settings) -> list[Signal]:
    copies = [Signal(settings.hard, allocatable=True)] if settings.hard else []
    return [Signal(threshold, allocatable=False) for threshold in settings.thresholds] + copies


@dataclass
class Manager:
    """What is remembered from look to look; a restart forgets it."""

    settings: Settings
    met: list[Signal] = field(default_factory=list)
    first_met: dict[Signal, float] = field(default_factory=dict)
    last_pressure: float | None = None

    def look(self, now: float, observation: Observation) -> Verdict | None:
        """One turn of the loop: the threshold to evict a pod for, a hard one before a soft one."""
        crossed = [
            signal
            for signal in signals_of(self.settings)
            if is_met(signal, observation, with_reclaim=signal in self.met)
        ]
        self.first_met = {signal: self.first_met.get(signal, now) for signal in crossed}
        if crossed:
            self.last_pressure = now
        self.met = [
            signal for signal in crossed if now - self.first_met[signal] >= signal.threshold.grace
        ]
        if not self.met:
            return None
        signal = self.met[0]
        hard = signal.threshold.grace == 0
        return Verdict(signal, HARD_GRACE if hard else self.settings.max_pod_grace)

    def memory_pressure(self, now: float) -> bool:
        if self.last_pressure is None:
            return False
        return now - self.last_pressure < self.settings.transition


def is_met(signal: Signal, observation: Observation, with_reclaim: bool) -> bool:
    """Once met, a threshold stays met until its reclaim is available on top."""
    wanted = signal.threshold.amount.of(observation.capacity)
    if with_reclaim:
        wanted += signal.threshold.reclaim.of(observation.capacity)
    return wanted > observation.of(signal)


def rank(pods: list[Pod], usage: dict[str, int]) -> list[Pod]:
    """The first victim first. Critical and static pods are left out, as they are never evicted."""
    return sorted(
        (pod for pod in pods if not pod.critical),
        key=lambda pod: (
            usage[pod.uid] <= pod.request,
            pod.priority,
            pod.request - usage[pod.uid],
        ),
    )
