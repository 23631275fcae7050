# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchanging the key that all speakers share while they run, though each of them learns of the new one at its own time.

A Secret reaches the nodes up to a minute and a half apart. A new key is therefore only accepted at first; it is used to
encrypt when everybody has had the time to know it, and the old one is accepted until everybody encrypts with the new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SPREAD_SECONDS = 150.0
"""Longest time between the first and the last speaker that knows a new key: kubelet's sync and cache, doubled."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys in use; the first encrypts, all decrypt. `due` is when the next step is taken, None when none is."""

    in_use: tuple[bytes, ...]
    incoming: bytes | None = None
    due: float | None = None


def first(key: bytes | None) -> Keys:
    """The keys of a speaker that starts; no key: plaintext."""
    return Keys((key,) if key else ())


def seen(keys: Keys, key: bytes | None, *, now: float) -> Keys:
    """The file holds this key. A file without one changes nothing: a key that is gone must not end encryption."""
    if key is None or key in (keys.incoming, *keys.in_use[:1]):
        return keys
    if not keys.in_use:
        return Keys((key,))
    return Keys((keys.in_use[0], key), incoming=key, due=now + SPREAD_SECONDS)


def step(keys: Keys, *, now: float) -> Keys:
    """What is due by now."""
    if keys.due is None or now < keys.due:
        return keys
    if keys.incoming is not None:
        return Keys((keys.incoming, keys.in_use[0]), due=now + SPREAD_SECONDS)
    return replace(keys, in_use=keys.in_use[:1], due=None)
