# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Composition roots: what a process consists of, and in which order things happen. No decisions, no protocols."""
