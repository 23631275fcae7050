# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can be in one cluster."""

from __future__ import annotations

import pytest
from lantern.gossip.members import Member, MemberState
from lantern.gossip.versions import incompatibility
from lantern.gossip.wire import RemoteMember

METALLB = bytes((1, 5, 2, 0, 0, 0))
SERF = bytes((1, 5, 2, 2, 5, 5))


def remote(versions: bytes, state: int = 0) -> RemoteMember:
    return RemoteMember("remote", b"\x0a\0\0\2", 7946, b"", 1, state, versions)


def local(versions: bytes) -> Member:
    return Member(name="local", address=b"\x0a\0\0\1", port=7946, meta=b"", versions=versions,
                  incarnation=1, state=MemberState.ALIVE, since=0.0)  # fmt: skip


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        (METALLB, METALLB, ""),
        (SERF, bytes((1, 5, 2, 2, 5, 4)), ""),
        (SERF, METALLB, "remote speaks delegate version 5, the cluster 2 to 0"),
        (bytes((3, 5, 3, 0, 0, 0)), METALLB, "local speaks protocol version 2, the cluster 3 to 5"),
        (bytes((1, 1, 1, 0, 0, 0)), METALLB, "local speaks protocol version 2, the cluster 1 to 1"),
        (b"", METALLB, "remote speaks protocol version 0, the cluster 1 to 5"),
    ],
)
def test_versions_must_overlap(theirs: bytes, ours: bytes, words: str) -> None:
    assert incompatibility([remote(theirs)], [local(ours)]) == words


def test_the_dead_need_not_understand_but_must_have_spoken_something_understood() -> None:
    assert incompatibility([remote(bytes((3, 5, 2, 0, 0, 0)), state=2)], [local(METALLB)]) == ""
    assert "protocol version 9" in incompatibility([remote(bytes((1, 9, 9, 0, 0, 0)), state=2)], [local(METALLB)])
