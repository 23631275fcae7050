# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lantern's in-cluster half: one program, two processes.

`lantern controller` gives Services of type LoadBalancer their addresses; `lantern speaker`, one per node, makes the
LAN send traffic for these addresses to the node that owns them.

Three kinds of code that never mix: decisions (`core`: pure functions from one frozen snapshot to what should be),
machines (`l2`: bytes and `now=` in, effects out), and adapters (`adapters`: the only place for sockets, files and
HTTP). `app` wires them. Which package may import which is checked by import-linter (pyproject.toml).
"""

__version__ = "0.1.0"
