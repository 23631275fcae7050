# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layer 2 as machines: ARP codec, responder, and the schedule of gratuitous bursts.

    responder.Responder.handle(frame, interface) -> Reply | Dropped     one dictionary look-up for each frame
    bursts.Bursts.start(address, now=) / handle_timer(now=) / next_timer() / drain()

Timing: `now` is monotonic seconds given by the caller; there is no clock here. Failure: whatever arrives from the LAN
ends as a Reply or as Dropped with a reason, never as an exception. Testing: feed bytes and numbers.
"""
