# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two lists of members can be one cluster: everybody speaks a version that everybody alive understands.

memberlist state.go:697-801; protocol and delegate versions are judged alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from lantern.gossip.members import Member, MemberState
from lantern.gossip.wire import RemoteMember

# Where in a member's six version bytes the least, greatest and current version of each kind are.
_KINDS = {"protocol": (0, 1, 2), "delegate": (3, 4, 5)}


def incompatibility(remote: Iterable[RemoteMember], local: Iterable[Member]) -> str:
    """What does not fit, in words; empty when all fits."""
    entries = [(entry.name, entry.versions, entry.state) for entry in remote]
    entries += [(member.name, member.versions, int(member.state)) for member in local]
    for kind, (least, greatest, current) in _KINDS.items():
        alive = [versions for _, versions, state in entries if state == MemberState.ALIVE and len(versions) == 6]
        floor = max((versions[least] for versions in alive), default=0)
        ceiling = min((versions[greatest] for versions in alive), default=255)
        for name, versions, _ in entries:
            spoken = versions[current] if len(versions) == 6 else 0
            if not floor <= spoken <= ceiling:
                return f"{name} speaks {kind} version {spoken}, the cluster {floor} to {ceiling}"
    return ""
