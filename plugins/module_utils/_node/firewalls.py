# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules added to a firewall and removed again, live and for the next boot. PRIVATE to the homelab.lantern collection.

Each firewall offers plan() and carry_out(); nothing is changed by plan().
"""

from __future__ import annotations

import os
import typing as t

from . import filtering
from .filtering import Chain, Opening
from .host import Host

Record = t.Dict[str, t.Any]
# Where the service nftables finds what to load at boot, on Debian and Red Hat.
NFT_SETTINGS = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf")


class Plan(t.NamedTuple):
    """`added` and `removed` are rules in the firewall's own words, `record` is what is kept to undo them."""

    added: list[str]
    removed: list[str]
    record: Record
    changed: bool


class Firewall(t.Protocol):
    """What a firewall can do."""

    def plan(self, openings: t.Sequence[Opening], record: Record) -> Plan: ...

    def carry_out(self, plan: Plan) -> None: ...


def of(host: Host, seen: dict[str, t.Any], record: Record, *, address: str, nft_file: str) -> Firewall:
    """The firewall of filtering.survey(). What is recorded of one that is not running stays recorded."""
    if seen["manager"] == filtering.FIREWALLD:
        return Firewalld(host, record.get("zone") or zone_of(host, address))
    if seen["manager"] == filtering.UFW:
        return Ufw(host)
    chains = [Chain(**chain) for chain in seen["chains"]]
    if chains or record.get("manager") == filtering.NFTABLES:
        return Nftables(host, chains, nft_file)
    return Absent()


def merged(old: Record, new: Record) -> Record:
    """A record that undoes both: what was done before, and what is about to be done."""
    if not old or old.get("manager") != new.get("manager"):
        return new or old
    return dict(new, rules=sorted({*old.get("rules", []), *new.get("rules", [])}))


def _rules_of(record: Record, manager: str) -> list[str]:
    return record.get("rules", []) if record.get("manager") == manager else []


class Absent:
    """No firewall, or one whose rules are kept by people."""

    def plan(self, openings: t.Sequence[Opening], record: Record) -> Plan:
        return Plan([], [], record, False)

    def carry_out(self, plan: Plan) -> None:
        """There is nothing to do."""


def zone_of(host: Host, address: str) -> str:
    """firewalld's zone for what comes from the LAN that `address` is in."""
    interface = host.run("ip", "-oneline", "address", "show", "to", address).text.split()[1:2] if address else []
    active = host.run("firewall-cmd", "--get-active-zones").text
    default = host.run("firewall-cmd", "--get-default-zone").text
    return filtering.zone(active, default, "".join(interface), address)


class Firewalld:
    """Rich rules in one zone, live and permanent, without a reload."""

    def __init__(self, host: Host, zone: str) -> None:
        self._host = host
        self._zone = zone
        self._todo: list[tuple[str, ...]] = []

    def plan(self, openings: t.Sequence[Opening], record: Record) -> Plan:
        wanted = filtering.rich_rules(openings)
        ours = _rules_of(record, filtering.FIREWALLD)
        added: dict[str, None] = {}
        removed: dict[str, None] = {}
        for scope in ((), ("--permanent",)):
            present = self._command(*scope, "--list-rich-rules").splitlines()
            missing = [rule for rule in wanted if rule not in present]
            stale = [rule for rule in ours if rule not in wanted and rule in present]
            for rules, verb, told in ((missing, "add", added), (stale, "remove", removed)):
                told.update(dict.fromkeys(rules))
                if rules:
                    self._todo.append((*scope, *(f"--{verb}-rich-rule={rule}" for rule in rules)))
        # A rule that was there before is its owner's, and stays when ours go.
        kept = [rule for rule in wanted if rule in ours or rule in added]
        new = {"manager": filtering.FIREWALLD, "zone": self._zone, "rules": sorted(kept)} if kept else {}
        return Plan([*added], [*removed], new, bool(self._todo) or new != record)

    def carry_out(self, plan: Plan) -> None:
        for arguments in self._todo:
            self._command(*arguments)

    def _command(self, *arguments: str) -> str:
        return _checked(self._host, "firewall-cmd", f"--zone={self._zone}", *arguments)


class Ufw:
    """Rules of ufw, which keeps them itself."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def plan(self, openings: t.Sequence[Opening], record: Record) -> Plan:
        wanted, ours = filtering.ufw_rules(openings), _rules_of(record, filtering.UFW)
        present = filtering.ufw_added(_checked(self._host, "ufw", "show", "added"))
        added = [rule for rule in wanted if rule not in present]
        removed = [rule for rule in ours if rule not in wanted and rule in present]
        kept = [rule for rule in wanted if rule in ours or rule in added]
        new = {"manager": filtering.UFW, "rules": sorted(kept)} if kept else {}
        return Plan(added, removed, new, bool(added or removed) or new != record)

    def carry_out(self, plan: Plan) -> None:
        for rule in plan.removed:
            _checked(self._host, "ufw", "delete", *rule.split())
        for rule in plan.added:
            # Before the rules of others, one of which may refuse all.
            _checked(self._host, "ufw", "prepend", *rule.split(), "comment", filtering.OUR_COMMENT)


class Nftables:
    """Rules at the head of people's own chains, and in a file that their settings include at the end."""

    def __init__(self, host: Host, chains: t.Sequence[Chain], file: str) -> None:
        self._host = host
        self._chains = chains
        self._file = file
        self._settings = next((path for path in NFT_SETTINGS if host.exists(path)), "")
        self._stale: list[tuple[Chain, int]] = []
        self._lines: list[str] = []

    def plan(self, openings: t.Sequence[Opening], record: Record) -> Plan:
        rules = filtering.nft_rules(self._chains, openings)
        present = filtering.nft_present(self._host, self._chains)
        self._lines = list(rules.values())
        self._stale = [place for comment, place in present.items() if comment not in rules]
        added = [rule for comment, rule in rules.items() if comment not in present]
        removed = [comment for comment in present if comment not in rules]
        filed = self._host.text(self._file) == self._text() and self._included() == bool(rules)
        new = {"manager": filtering.NFTABLES, "rules": sorted(rules)} if rules else {}
        return Plan(added, removed, new, bool(added or removed) or not filed or new != record)

    def carry_out(self, plan: Plan) -> None:
        for chain, handle in self._stale:
            _checked(self._host, "nft", "delete", "rule", *chain, "handle", str(handle))
        for rule in plan.added:
            _checked(self._host, "nft", rule)
        if self._lines:
            _write(self._host.path(self._file), self._text(), 0o644)
        elif self._host.exists(self._file):
            os.unlink(self._host.path(self._file))
        if self._settings and self._included() != bool(self._lines):
            text = self._host.text(self._settings)
            line = self._include()
            changed = f"{text.rstrip()}\n\n{line}\n" if self._lines else text.replace(f"\n{line}\n", "")
            path = self._host.path(self._settings)
            _write(path, changed, os.stat(path).st_mode & 0o7777)

    def _text(self) -> str:
        if not self._lines:
            return ""
        return "# Managed by Lantern (role homelab.lantern.prepare).\n" + "".join(f"{line}\n" for line in self._lines)

    def _include(self) -> str:
        return f'include "{self._file}"'

    def _included(self) -> bool:
        return self._include() in self._host.text(self._settings).splitlines()


def _write(path: str, text: str, mode: int) -> None:
    """Replaces a file in one step."""
    scratch = f"{path}.lantern"
    with open(scratch, "w", encoding="utf-8") as handle:
        handle.write(text)
    os.chmod(scratch, mode)
    os.replace(scratch, path)


def _checked(host: Host, *command: str) -> str:
    """What a program printed; ValueError with its words when it failed."""
    output = host.run(*command)
    if output.status:
        said = " ".join((output.errors or output.text).split())
        raise ValueError(f"{' '.join(command)} failed: {said}. Repair the firewall, or set prepare_firewall: false.")
    return output.text
