# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routers whose DHCP server Lantern can keep out of the pools. PRIVATE to the homelab.lantern collection.

One pure file per kind of router: it reads the router's configuration as text and returns the text that is wanted. What
touches the machine lies beside it. A new kind also needs its entry in _planner.ROUTER_TYPES and a tasks file in role
reserve.
"""

from __future__ import annotations
