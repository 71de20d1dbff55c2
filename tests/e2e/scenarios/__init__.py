# SPDX-License-Identifier: Apache-2.0
"""Scenarios: functions that take a Node and raise Failed when it is not as it should be."""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from node import Node

Function = Callable[[Node], None]


class Kind(Enum):
    """The node a scenario runs on."""

    DROP_IN = "drop-in"  # RKE2 >= 1.32: the stand-in kubelet, or one given from outside
    ARGS = "args"  # RKE2 <= 1.31: the kubelet 1.20.2 built from Debian's sources


class Scenario(NamedTuple):
    function: Function
    kind: Kind
    long: bool  # takes minutes

    @property
    def about(self) -> str:
        return (self.function.__doc__ or "").strip()


ALL: dict[str, Scenario] = {}


def scenario(kind: Kind, long: bool = False) -> Callable[[Function], Function]:
    """Makes a function known to tests/e2e/run, under its name with dashes."""

    def register(function: Function) -> Function:
        ALL[function.__name__.replace("_", "-")] = Scenario(function, kind, long)
        return function

    return register
