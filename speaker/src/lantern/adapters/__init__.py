# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that touches the world: sockets, files, HTTP, the clock, the log. No decisions are made here."""
