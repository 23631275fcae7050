#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iptables_backend
short_description: Choose between iptables' old tables and nf_tables, by what the cluster needs
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Sets the alternatives C(iptables), C(ip6tables), C(arptables) and C(ebtables) to the programs of one backend.
  - Rules that are there are never touched. They stay in the kernel until the next boot, which is why
    RV(reboot_required) is told.
options:
  state:
    description: V(present) sets them, V(absent) puts back what was there before, unless somebody has changed it since.
    type: str
    choices: [present, absent]
    default: present
  backend:
    description:
      - V(auto) decides by iptables' version, the kernel, kube-proxy, and where the cluster's rules are. It changes
        nothing where the present one is right.
      - V(keep) changes nothing.
    type: str
    choices: [auto, legacy, nft, keep]
    default: auto
  record:
    description: Where it is remembered what was there before.
    type: path
    default: /var/lib/lantern/alternatives.json
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows the programs that the names stand for.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
---
- name: One backend for kube-proxy, CNI and node
  homelab.lantern.iptables_backend:
  become: true
"""

RETURN = r"""
backend:
  description: What was decided.
  returned: if O(state) is V(present)
  type: str
  sample: legacy
reason:
  description: Why.
  returned: if O(state) is V(present)
  type: str
programs:
  description: The alternatives that were changed, with the program that they stand for now.
  returned: success
  type: dict
  sample: {iptables: /usr/sbin/iptables-legacy}
reboot_required:
  description: Whether rules of the other backend may still be in the kernel since the alternatives were changed.
  returned: success
  type: bool
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils import _record
from ansible_collections.homelab.lantern.plugins.module_utils._node import host, netfilter, survey

AUTO = "auto"


def commands(name: str, path: str) -> list[tuple[str, ...]]:
    """Debian's program and Red Hat's, to be tried in this order; an empty path means automatic choice."""
    rest = ("--set", name, path) if path else ("--auto", name)
    return [("update-alternatives", *rest), ("alternatives", *rest)]


def change(module: AnsibleModule, node: host.Host, programs: dict[str, str]) -> None:
    for name, path in programs.items():
        outputs = [node.run(*command) for command in commands(name, path)]
        if all(output.status for output in outputs):
            why = " ".join(output.errors.strip() for output in outputs if output.status != host.NOT_FOUND)
            module.fail_json(msg=f"The alternative {name} cannot be set to {path or 'automatic choice'}: {why}")


def unusable(node: host.Host, seen: dict[str, t.Any], backend: str) -> str:
    """Why the kernel cannot do with this backend, "" if it can."""
    if backend not in (netfilter.LEGACY, netfilter.NFT) or seen["chains"][backend]:
        return ""
    output = node.run(f"iptables-{backend}", "-t", "nat", "-S")
    return "" if output.status == 0 else output.errors.strip()


def has_rules(node: host.Host, seen: dict[str, t.Any]) -> bool:
    """Whether the backend that is left holds rules of anybody, which it keeps until the next boot."""
    if any(seen["chains"].values()):
        return True
    left = seen["backend"]
    if left == netfilter.LEGACY and not any(node.text(path).strip() for path in netfilter.LEGACY_TABLES):
        return False
    return any("\n-A " in node.run(f"{tool}-{left}-save").text for tool in netfilter.TOOLS[:2])


def undone(seen: dict[str, t.Any], record: dict[str, t.Any]) -> dict[str, str]:
    """What each alternative was before, where it still is what we had set; "" for automatic choice."""
    programs = {}
    for name, entry in record.get("before", {}).items():
        present = seen["alternatives"].get(name)
        if present and present["current"] == entry["set"]:
            programs[name] = entry["current"] if entry["manual"] else ""
    return programs


def present(module: AnsibleModule, node: host.Host, record: dict[str, t.Any]) -> dict[str, t.Any]:
    """What exit_json gets for state present."""
    seen = netfilter.survey(node)
    running = survey.processes(node)
    kubernetes = survey.kubernetes(node, running)
    decision = netfilter.decide(seen, kubernetes)
    if module.params["backend"] != AUTO:
        decision = netfilter.Decision(module.params["backend"], "the inventory says so (prepare_iptables)")
    programs = netfilter.changes(seen, decision.backend)
    problem = unusable(node, seen, decision.backend) if programs else ""
    if problem:
        programs, decision = {}, netfilter.Decision(netfilter.KEEP, f"the kernel refuses the other backend: {problem}")
    boot = node.text(survey.BOOT_ID).strip()
    if programs:
        before = dict(record.get("before", {}))
        for name, path in programs.items():
            old = seen["alternatives"][name]
            known = before.get(name, {"current": old["current"], "manual": old["manual"]})
            before[name] = dict(known, set=path)
        stale = kubernetes["running"] or has_rules(node, seen)
        record = {"before": before, "boot_id": boot if stale else ""}
        if not module.check_mode:
            # First the record: whatever happens next can then still be undone.
            _record.save(module.params["record"], record)
            change(module, node, programs)
    return {
        "changed": bool(programs),
        "backend": decision.backend,
        "reason": decision.reason,
        "programs": programs,
        "reboot_required": bool(boot) and record.get("boot_id") == boot,
        "diff": diff(seen, programs),
    }


def absent(module: AnsibleModule, node: host.Host, record: dict[str, t.Any]) -> dict[str, t.Any]:
    """What exit_json gets for state absent."""
    seen = netfilter.survey(node) if record else {"alternatives": {}}
    programs = undone(seen, record)
    stale = bool(programs) and has_rules(node, seen)
    if not module.check_mode:
        change(module, node, programs)
        _record.save(module.params["record"], {})
    return {"changed": bool(record), "programs": programs, "reboot_required": stale, "diff": diff(seen, programs)}


def diff(seen: dict[str, t.Any], programs: dict[str, str]) -> dict[str, str]:
    return {
        "before": "".join(f"{name}: {seen['alternatives'][name]['current']}\n" for name in programs),
        "after": "".join(f"{name}: {path or 'automatic choice'}\n" for name, path in programs.items()),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "backend": {"type": "str", "choices": [AUTO, "legacy", "nft", "keep"], "default": AUTO},
            "record": {"type": "path", "default": "/var/lib/lantern/alternatives.json"},
        },
        supports_check_mode=True,
    )
    try:
        record = _record.load(module.params["record"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    work = present if module.params["state"] == "present" else absent
    module.exit_json(**work(module, host.of(module), record))


if __name__ == "__main__":
    main()
