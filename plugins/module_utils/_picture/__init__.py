# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the home for people, as SVG and for terminals. PRIVATE to the homelab.lantern collection, pure.

drawing.py        shapes and colours; SVG as text
home.py           who answers for which address, after stage verify
address_space.py  who has which addresses of the LAN, in stage plan
address_map.py    the same for a terminal, one letter for each address
"""
