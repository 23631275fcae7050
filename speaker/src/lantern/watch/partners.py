# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who watches whom closely: each speaker is watched by a few others, the same ones by everybody's reckoning.

And it watches these. It costs no more frames, as they take turns. A probe is a sign of life that needs one way only, an
answer two: it comes twice as late from a LAN that holds back all frames at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from functools import lru_cache


def partners(me: str, others: Collection[str], *, lost: Collection[str], watchers: int) -> set[str]:
    """Those among the others that watch `me` closely, or that `me` is to watch; each has `watchers` of them.

    Who is lost watches nobody, and is looked for by those who would watch it.
    """
    present = [me, *(name for name in others if name not in lost)]
    mine = _watchers(me, present, watchers)
    return {name for name in others if name in mine or me in _watchers(name, present, watchers)}


def _watchers(watched: str, present: Iterable[str], count: int) -> list[str]:
    line = sorted((name for name in present if name != watched), key=lambda name: _pair(name, watched))
    return line[:count]


@lru_cache(maxsize=8192)
def _pair(watcher: str, watched: str) -> bytes:
    return hashlib.sha256(f"{watcher}>{watched}".encode()).digest()
