# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layer 2 as machines: ARP, NDP and ICMP echo codecs, responders, and what is sent unasked.

    announcing.Announcing.apply(claims, now=) / receive_arp(frame, interface, now=) -> Reply | Dropped / …
                         .handle_timer(now=) / next_timer() / drain() -> SendFrame | ConflictSeen | FoundInUse | …

It composes `responder` (who is answered), `bursts` (announcements), `probing` (before the first one) and `conflicts`
(strangers), which share the table of `claims`.

Timing: `now` is monotonic seconds given by the caller; there is no clock here. Failure: whatever arrives from the LAN
ends as a Reply or as Dropped with a reason, never as an exception. Testing: feed bytes and numbers.
"""
