# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many gossip nodes on a virtual clock and a virtual network that loses, delays and doubles."""
