# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cluster membership as a machine: the wire protocol of hashicorp/memberlist (SWIM with suspicion and push/pull).

    node = Node(GossipConfig(name="n1", address=b"\\x0a\\x00\\x00\\x01"), rng)
    node.start(now=), node.set_seeds(endpoints, now=), node.leave(now=)
    node.receive_datagram(data, source, now=)
    node.accept_stream(source, now=) -> id, node.receive_stream(id, data, now=), node.stream_closed(id, now=)
    node.handle_timer(now=), node.next_timer(), node.drain() -> effects

One node speaks to memberlist 0.2 and newer: MetalLB's speakers, serf, alertmanager. `wire` has the messages, `packet`
and `stream` what is around them in datagrams and TCP streams; `members` says what a fact does to a member, `cluster`
applies facts and spreads them, `probe` finds the silent, `exchange` runs the streams, `node` puts them together.

Timing: `now` is monotonic seconds given by the caller; there is no clock here. A caller that was asleep (a paused
virtual machine) may hand in a jump: time in which this node did not run counts for nobody's death.
Failure: whatever peers send ends as effects; broken input as `Dropped` with a reason, never as an exception.
Randomness: `rng` also makes the encryption's nonces, so outside tests it must be `random.SystemRandom()`.
Testing: feed bytes and numbers; a seeded `random.Random` makes every run alike.
"""
