# SPDX-License-Identifier: Apache-2.0
"""Who was killed or evicted by what: one incident for each."""

from typing import Any

from node import Node, expect, say

from . import Kind, scenario
from .plain_node import add_hog, failed

OBSERVE = "[agent]\nmode = observe\n"


def losses(node: Node) -> list[dict[str, Any]]:
    """The incidents in which somebody was lost."""
    _, answer = node.agent("incidents")
    return [each for each in answer["incidents"] if each["kind"] in ("oom-kill", "eviction")]


def expect_loss(loss: dict[str, Any], uid: str, cause: str) -> None:
    victim = loss["victim"]
    say(f"{loss['what']}; {loss['prevention']}")
    expect(loss["cause"] == cause, f"cause {loss['cause']}, not {cause}: {loss}")
    expect(victim["uid"] == uid, f"victim {victim['uid']}, not {uid}: {loss}")
    expect(victim["class"] == "container", f"class {victim['class']}: {loss}")
    expect(loss["before"], f"no memory state just before: {loss}")


@scenario(Kind.DROP_IN)
def incidents(node: Node) -> None:
    """A pod at its limit, then the node out of memory: one incident each, also after a restart."""
    machine = node.machine
    node.write_agent_ini(OBSERVE)
    node.start_agent()
    node.add_pod("greedy", 20, growth=(200, 1), request=50, limit=60)
    machine.wait_for("greedy has failed", lambda: failed(node, "greedy"), 300)
    machine.wait_for("an incident", lambda: losses(node), 60, every=2)
    # The pod's limit is its container's, and the sandbox is in it too: the kernel says which it was.
    line = machine.check("journalctl -k --no-pager | grep -ao 'oom_memcg=[^,]*'").strip()
    at_limit = "container-limit" if line.endswith(".scope") else "pod-limit"
    add_hog(node)
    machine.wait_for("the hog has failed", lambda: failed(node, "hog"), 900, every=5)
    machine.wait_for("its incident", lambda: len(losses(node)) > 1, 60, every=2)
    node.stop_agent()
    node.start_agent()
    machine.sleep(30)  # reads the kernel's log again, and knows what it has recorded
    found = losses(node)
    expect(len(found) == 2, f"{len(found)} incidents: {found}")
    expect_loss(found[0], node.pod("greedy")["uid"], at_limit)
    expect_loss(found[1], node.pod("hog")["uid"], "node")
