#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster_health
short_description: Wait until a node is back and Services answer
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Waits until a node is Ready after its reboot, with all its DaemonSets' pods, and until ports of Services answer
    that answered before.
  - Connects to the Services from the machine it runs on, which therefore has to be in the LAN to see any of them.
  - Prints a line whenever the state changes.
extends_documentation_fragment:
  - homelab.lantern.cluster
options:
  node:
    description: Names or addresses of the node; the first one that the cluster knows counts. None asks for no node.
    type: list
    elements: str
    default: []
  boot_id:
    description: The boot that the node has to have reported, as the file C(/proc/sys/kernel/random/boot_id) has it.
    type: str
    default: ""
  expected:
    description: RV(answering) of an earlier call, which all have to answer.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Namespace and name of the Service.
        type: str
        required: true
      address:
        description: Its address.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        required: true
  steady:
    description: Seconds for which all has to be well without a break.
    type: int
    default: 3
  timeout:
    description: Seconds to wait at most. With 0 nothing is waited for, and nothing fails.
    type: int
    default: 300
  previous_progress:
    description:
      - If set, return as soon as RV(progress) differs from it instead of waiting for the end.
      - The action plugin of the same name uses it to print progress; it is of no use in a playbook.
    type: str
attributes:
  check_mode:
    description: Only reads; waits for nothing, as nothing was changed.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  idempotent:
    description: Nothing is changed.
    support: full
"""

EXAMPLES = r"""
---
- name: Which Services answer now?
  homelab.lantern.cluster_health:
    kubeconfig: ~/.kube/config
    timeout: 0
  register: before
  delegate_to: localhost

- name: Wait until they do so again
  homelab.lantern.cluster_health:
    kubeconfig: ~/.kube/config
    node: [node2]
    expected: "{{ before.answering }}"
  delegate_to: localhost
"""

RETURN = r"""
ready:
  description: Whether all is well.
  returned: success
  type: bool
progress:
  description: How far it is.
  returned: success
  type: str
  sample: node2 is Ready, 3 of 3 Service ports answer
answering:
  description: The ports of Services that answer, each with C(name), C(address) and C(port).
  returned: success
  type: list
  elements: dict
silent:
  description: Those that do not.
  returned: success
  type: list
  elements: dict
"""

import socket
import time
import typing as t
from concurrent import futures

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import draining, health
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.homelab.lantern.plugins.module_utils._cluster.api import Cluster

POLL_SECONDS = 1.0
CONNECT_SECONDS = 2.0
CONNECTIONS = 16


class Look(t.NamedTuple):
    """What one look at the cluster and its Services gave."""

    line: str
    well: bool
    answering: list[health.Target]
    silent: list[health.Target]


def answers(target: health.Target) -> bool:
    """Whether its port accepts a connection."""
    try:
        socket.create_connection((target.address, target.port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def split(targets: list[health.Target]) -> tuple[list[health.Target], list[health.Target]]:
    """(those that answer, those that do not), tried at the same time."""
    if not targets:
        return [], []
    with futures.ThreadPoolExecutor(min(CONNECTIONS, len(targets))) as pool:
        good = list(pool.map(answers, targets))
    return (
        [target for target, well in zip(targets, good) if well],
        [target for target, well in zip(targets, good) if not well],
    )


def look(cluster: Cluster, options: dict[str, t.Any]) -> Look:
    node = draining.find(cluster.list("v1", "Node"), options["node"]) if options["node"] else None
    name, trouble = "", ""
    if options["node"] and node is None:
        name, trouble = options["node"][0], f"the cluster knows no node {' or '.join(options['node'])}"
    elif node is not None:
        name = node["metadata"]["name"]
        pods = cluster.list("v1", "Pod", field_selector=f"spec.nodeName={name}")
        trouble = health.node_trouble(node, pods, options["boot_id"])
    expected = [health.Target(**one) for one in options["expected"]]
    answering, silent = split(expected or health.targets(cluster.list("v1", "Service")))
    missing = silent if expected else []
    return Look(health.progress(trouble, name, len(expected), missing), not trouble and not missing, answering, silent)


def patient_look(cluster: Cluster, options: dict[str, t.Any]) -> Look:
    """look(), where an API server that does not answer is a state like others: its own node may be rebooting."""
    try:
        return look(cluster, options)
    except ClusterError:
        if options["timeout"] == 0:
            raise
        return Look("the API server does not answer", False, [], [])


def wait(cluster: Cluster, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """What exit_json gets; ClusterError when the time is over."""
    started, well_since = time.monotonic(), None
    while True:
        seen, now = patient_look(cluster, options), time.monotonic()
        well_since = (well_since or now) if seen.well else None
        ready = well_since is not None and now - well_since >= options["steady"]
        news = options["previous_progress"] is not None and seen.line != options["previous_progress"]
        if ready or news or options["timeout"] == 0:
            return {
                "changed": False,
                "ready": ready,
                "progress": seen.line,
                "answering": [target._asdict() for target in seen.answering],
                "silent": [target._asdict() for target in seen.silent],
            }
        if now - started >= options["timeout"]:
            raise ClusterError(
                f"The cluster is not well again after {options['timeout']} s: {seen.line}. No other node is rebooted. "
                "Look at `kubectl get nodes` and `kubectl get pods -A -o wide`, and run the play again."
            )
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            node={"type": "list", "elements": "str", "default": []},
            boot_id={"type": "str", "default": ""},
            expected={
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "required": True},
                },
            },
            steady={"type": "int", "default": 3},
            timeout={"type": "int", "default": 300},
            previous_progress={"type": "str"},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    options = dict(module.params, timeout=0) if module.check_mode else module.params
    finish(module, lambda: wait(connect(module), options))


if __name__ == "__main__":
    main()
