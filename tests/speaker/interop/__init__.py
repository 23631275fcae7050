# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lantern's gossip with programs of others: Debian's serf and prometheus-alertmanager."""
