# SPDX-License-Identifier: Apache-2.0
"""The agent as its packages run it: under the rights that their unit leaves it."""

import json

from node import Node, expect

from . import Kind, scenario
from .incidents import losses
from .plain_node import failed
from .transaction import ENFORCE, add_pods, expect_in_force, phase

UNITS = "/etc/systemd/system"
PROGRAM = "/usr/local/bin/eviction-agent"


def install_units(node: Node) -> None:
    """The packages' units take the place of the machine's own."""
    machine = node.machine
    machine.check(f"cp /opt/e2e/units/* {UNITS}/")
    machine.check(f"sed -i 's#^ExecStart=[^ ]*#ExecStart={PROGRAM}#' {UNITS}/eviction-agent.service")
    machine.check("systemctl daemon-reload")


@scenario(Kind.DROP_IN)
def hardened(node: Node) -> None:
    """Under its unit's restrictions the daemon puts a value in force, and sees evictions and kills."""
    machine = node.machine
    install_units(node)
    before = add_pods(node)
    node.write_agent_ini(ENFORCE)
    node.start_agent()
    machine.wait_for("the value is committed", lambda: phase(node) == "committed", 900, every=5)
    expect_in_force(node, before)
    node.add_pod("greedy", 20, growth=(200, 1), request=50, limit=60)
    machine.wait_for("greedy has failed", lambda: failed(node, "greedy"), 300)
    machine.wait_for("its incident", lambda: losses(node), 60, every=2)
    status = json.loads(machine.check("eviction-agent status -o json"))
    expect(not status["problems"], f"problems: {status['problems']}")
    restarts = machine.check("systemctl show --value --property=NRestarts eviction-agent").strip()
    expect(restarts == "0", f"the agent was restarted {restarts} times")
    machine.check("systemctl reload eviction-agent")
    code, _ = node.agent("rollback")
    expect(code == 0, "rollback failed")
