# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speakers tell each other, damaged: the decoder refuses or takes it, and a whole watch goes on."""

from __future__ import annotations

from collections import Counter
from random import Random

from fuzz.damage import INPUTS, damage
from lantern.gossip.timers import Clock
from lantern.tenure import Bulletin, Tenure
from lantern.watch import effects, messages
from lantern.watch.machine import Watch
from lantern.watch.messages import Answer, BrokenMessageError, Edition, Probe, Stamp
from lantern.watch.options import Options

KEYS = [bytes((10, 9, 0, 1)), bytes(15) + b"\x01"]
BULLETIN = Bulletin(
    ready=True,
    settled=True,
    interfaces={"eth0": b"\x02\0\0\0\0\x0b", "wlan0": b"\x02\0\0\0\0\x0c"},
    tenures=dict.fromkeys(KEYS, Tenure(3, 1.0)),
)
LONG = Bulletin(tenures={number.to_bytes(4, "big"): Tenure(1, 0.0) for number in range(100)})
STAMP = Stamp(Edition(5, 2), Edition(6, 1))
DELTA = messages.encode_delta(Edition(5, 3), 2, BULLETIN, KEYS[:1], KEYS[1:], now=2.0)
assert DELTA is not None
CORPUS = [
    messages.encode_probe(Probe(7, STAMP)),
    messages.encode_probe(Answer(7, STAMP)),
    *messages.encode_bulletin(Edition(5, 2), BULLETIN, now=2.0),
    *messages.encode_bulletin(Edition(5, 4), LONG, now=2.0),
    DELTA,
    messages.encode_suspicion("c", 0.3),
    messages.encode_report("c", heard=True),
    *messages.encode_offers((key, 3) for key in KEYS),
]


def test_decoder_refuses_or_takes_but_never_breaks() -> None:
    rng, outcomes = Random("messages"), Counter[str]()
    for _ in range(INPUTS):
        data = damage(rng, CORPUS)
        try:
            outcomes[type(messages.decode(data)).__name__] += 1
        except BrokenMessageError:
            outcomes["refused"] += 1
        except Exception as error:
            raise AssertionError(data.hex()) from error
    assert len(outcomes) == len(messages.Kind) + 1, "every kind was taken, and some refused"


def test_watch_goes_on_whatever_it_is_told() -> None:
    rng, watch, now = Random("watch"), Watch("a", Options(), Random(1), Clock(0.03)), 1000.0
    watch.set_peers({"b", "c"}, now=now)
    outcomes = Counter[type]()
    for _ in range(INPUTS):
        now += 0.01
        data = damage(rng, CORPUS)
        try:
            watch.receive(rng.choice("bcx"), data, now=now)
            watch.handle_timer(now=now)
        except Exception as error:
            raise AssertionError(data.hex()) from error
        outcomes.update(map(type, watch.drain()))
    assert watch.speakers.keys() <= {"b", "c"}
    assert outcomes[effects.Told] and outcomes[effects.Offered] and outcomes[effects.Dropped]
