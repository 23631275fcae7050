# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses Services had last, so that one that comes back under its name finds its old address.

The order is part of it: Services that are gone come first, the longest gone of them at the very beginning, where the
bound cuts. It counts those alone: a living Service has its address in its own status, and is remembered only so that
this is known should it be deleted while no controller looks. The functions return OrderedDict because two of those are
equal only if their order is.

As text it is one Service per line, its addresses behind its name:

    default/web 192.168.2.128 fd00::80
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice

from lantern.core.decisions import Plan
from lantern.core.model import ServiceKey
from lantern.pools import Address, Problem, parse_address

Memory = Mapping[ServiceKey, tuple[Address, ...]]

# A ConfigMap holds 1 MiB.
_MOST_CHARACTERS = 1_000_000


def remember(memory: Memory, plan: Plan, limit: int) -> OrderedDict[ServiceKey, tuple[Address, ...]]:
    """The memory after the plan: at most `limit` Services that are gone, and all that have addresses now.

    A limit of 0 turns it off.
    """
    if limit == 0:
        return OrderedDict()
    now = {kept.service.key: kept.service.addresses for kept in plan.keep}
    now.update((given.service.key, given.addresses) for given in plan.assign)
    after = OrderedDict((key, addresses) for key, addresses in memory.items() if key not in now)
    for key in list(islice(after, max(0, len(after) - limit))):
        del after[key]
    after.update((key, now[key]) for key in memory if key in now)
    after.update((key, now[key]) for key in sorted(now) if key not in memory)
    return after


def encode(memory: Memory) -> str:
    """The memory as text, as far as a ConfigMap can hold it: of the end there is least need."""
    lines: list[str] = []
    room = _MOST_CHARACTERS
    for key, addresses in memory.items():
        lines.append(f"{key} {' '.join(map(str, addresses))}\n")
        room -= len(lines[-1])
        if room < 0:
            del lines[-1]
            break
    return "".join(lines)


def decode(text: str) -> OrderedDict[ServiceKey, tuple[Address, ...]] | Problem:
    """The memory that the text says, or the Problem (code "malformed") with its first line that is none."""
    found: OrderedDict[ServiceKey, tuple[Address, ...]] = OrderedDict()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        owner, *written = line.split()
        namespace, slash, name = owner.partition("/")
        addresses = [parse_address(item) for item in written]
        good = tuple(item for item in addresses if not isinstance(item, Problem))
        if not (namespace and slash and name and good) or len(good) < len(addresses):
            where = f"line {number} of the remembered addresses"
            remedy = "Write NAMESPACE/NAME and its addresses behind it, or remove the line."
            return Problem("malformed", where, f'{where}, "{line[:100]}", cannot be read. {remedy}')
        key = ServiceKey(namespace, name)
        # The later line is the later news.
        found.pop(key, None)
        found[key] = good
    return found
