# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all fuzz tests have in common.

LANTERN_FUZZ_INPUTS says how many inputs each decoder gets; the default only shows that this works.
"""

from __future__ import annotations

import os
from random import Random

INPUTS = int(os.environ.get("LANTERN_FUZZ_INPUTS", "3000"))


def damage(rng: Random, corpus: list[bytes]) -> bytes:
    """One of the corpus, changed: bytes flipped, cut, doubled, put in; or noise."""
    if rng.random() < 0.05:
        return rng.randbytes(rng.randrange(60))
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 | 1 if place < len(data):
                data[place] = rng.choice((0, 1, 0x7F, 0x80, 0xC0, 0xC1, 0xDB, 0xDD, 0xDF, 0xFF, rng.randrange(256)))
            case 2:
                del data[place:]
            case 3:
                data[place:place] = rng.randbytes(rng.randrange(6))
            case 4:
                data[place:place] = data[place : place + rng.randrange(40)]
            case 5:
                del data[place : place + rng.randrange(8)]
    return bytes(data)
