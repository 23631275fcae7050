# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speakers watch each other: who is alive within tenths of a second, and what everybody announces.

    watch = Watch("node1", Options(), rng, clock)
    watch.set_peers(names, now=), watch.publish(bulletin, now=), watch.set_offers({node: vips}, now=)
    watch.receive(peer, datagram, now=), watch.wire(peer, answered=, linked=, now=), watch.condemn(peer, now=)
    watch.handle_timer(now=), watch.next_timer(), watch.drain() -> effects
    watch.speakers -> bulletins of those alive

Membership is gossip's business; this machine asks members directly and often. `patience` says when silence is certain,
`messages` what is sent, `publication` keeps bulletins equal on both sides, `peer` is what is known of one speaker,
`machine` puts them together. Datagrams go from node to node by name: how, and how they are sealed, is the caller's.

Timing: `now` is monotonic seconds given by the caller. Time in which this process did not run is taken out of it by the
`clock`, so that its own sleep is nobody's silence.
Failure: whatever peers send ends as effects; broken input as `Dropped` with a reason, never as an exception.
Testing: feed bytes and numbers; a seeded `random.Random` makes every run alike.
"""
