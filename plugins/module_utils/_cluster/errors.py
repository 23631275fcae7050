# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on the cluster side. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations


class ClusterError(Exception):
    """The text is for the person at the terminal: what, which value, what to do. Only main() of a module catches it."""


class UnservedKindError(ClusterError):
    """The API server knows no such kind (yet)."""


class RefusedError(ClusterError):
    """The API server said no; `code` is the HTTP status."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
