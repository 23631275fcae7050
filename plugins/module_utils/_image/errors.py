# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on the image side. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations


class ImageError(Exception):
    """The text is for the person at the terminal: what failed, why, what to do. Only main() of a module catches it."""


class NoRuntimeError(ImageError):
    """The node has no container runtime that images could be put into: none runs, or nothing speaks to it."""
