# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long things may take, and how often or how long they are tried; each can be set in the environment."""

from __future__ import annotations

import os


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        raise ValueError(f"{name}={text}: give a number") from None
    if value <= 0:
        raise ValueError(f"{name}={text}: give a number above 0")
    return value


# From the last answer of an owner that dies to the first one of its successor.
TAKEOVER_SECONDS = _number("LANTERN_TAKEOVER_SECONDS", 2.0)
# The same for 95 of 100 deaths, and how many are tried.
USUAL_TAKEOVER_SECONDS = _number("LANTERN_USUAL_TAKEOVER_SECONDS", 1.0)
TAKEOVER_ROUNDS = int(_number("LANTERN_TAKEOVER_ROUNDS", 20))
# Until all is as the API server's objects say.
CHANGE_SECONDS = _number("LANTERN_CHANGE_SECONDS", 5.0)
# Two parts of a LAN are one again: until one node alone answers.
HEAL_SECONDS = _number("LANTERN_HEAL_SECONDS", 1.0)
# A foreign member among the speakers.
MIXED_MINUTES = _number("LANTERN_MIXED_MINUTES", 2.0)
# Jitter and loss on all cables.
IMPAIRED_MINUTES = _number("LANTERN_IMPAIRED_MINUTES", 3.0)
