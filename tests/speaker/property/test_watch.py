# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch for any bytes and any order of events: it never raises, and both sides end with the same bulletin."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lantern.gossip.timers import Clock
from lantern.tenure import Bulletin, Tenure
from lantern.watch import effects, messages
from lantern.watch.machine import Watch
from lantern.watch.messages import MAGIC, BrokenMessageError, Delta, Edition, Page
from lantern.watch.options import Options
from lantern.watch.publication import Publication, Subscription

keys = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
ages = st.integers(0, 10_000_000).map(lambda milliseconds: milliseconds / 1000)
tenures = st.dictionaries(keys, st.builds(Tenure, st.integers(0, 2**32 - 1), ages.map(lambda age: -age)), max_size=200)
interfaces = st.dictionaries(
    st.text("ethwlan0123", min_size=1, max_size=15), st.binary(min_size=6, max_size=6), max_size=messages.MAX_INTERFACES
)
bulletins = st.builds(
    Bulletin,
    ready=st.booleans(),
    settled=st.booleans(),
    leaving=st.booleans(),
    interfaces=interfaces,
    tenures=tenures,
)


def near(one: Bulletin | None, other: Bulletin | None) -> bool:
    """Equal, but for ages below a millisecond."""
    assert one is not None and other is not None
    words = [(item.ready, item.settled, item.leaving, dict(item.interfaces)) for item in (one, other)]
    terms = [
        {key: (tenure.term, round(tenure.since, 3)) for key, tenure in item.tenures.items()} for item in (one, other)
    ]
    return words[0] == words[1] and terms[0] == terms[1]


@given(bulletins)
def test_bulletin_survives_the_way(bulletin: Bulletin) -> None:
    subscription = Subscription()
    for data in messages.encode_bulletin(Edition(1, 1), bulletin, now=0.0):
        assert len(data) <= messages.MAX_BYTES
        page = messages.decode(data)
        assert isinstance(page, Page)
        subscription.take_page(page, now=0.0)
    assert near(subscription.bulletin, bulletin)


@given(st.lists(bulletins, min_size=1, max_size=6), st.randoms(use_true_random=False), st.floats(0, 0.8))
def test_both_sides_end_alike_whatever_is_lost_or_late(said: list[Bulletin], rng: Any, loss: float) -> None:
    mine, theirs = Publication(7), Subscription()
    late: list[bytes] = []

    def deliver(data: bytes) -> None:
        match messages.decode(data):
            case Page() as page:
                theirs.take_page(page, now=0.0)
            case Delta() as delta:
                theirs.take_delta(delta, now=0.0)

    for bulletin in said:
        mine.publish(bulletin)
        for data in mine.bring(theirs.edition, now=0.0):
            if rng.random() > loss:
                deliver(data)
            else:
                late.append(data)
        while late and rng.random() < 0.3:
            deliver(late.pop(rng.randrange(len(late))))
    for _ in range(3):
        for data in mine.bring(theirs.edition, now=0.0):
            deliver(data)
    for data in late:
        deliver(data)
    assert theirs.edition == mine.edition and near(theirs.bulletin, said[-1])


@given(st.one_of(st.binary(max_size=100), st.binary(max_size=100).map(lambda data: MAGIC + data)))
def test_any_bytes_are_a_message_or_are_refused(data: bytes) -> None:
    try:
        messages.decode(data)
    except BrokenMessageError as error:
        assert str(error)


events = st.lists(
    st.one_of(
        st.tuples(st.just("bytes"), st.sampled_from("bcx"), st.binary(max_size=60)),
        st.tuples(st.just("bulletin"), st.sampled_from("bc"), bulletins),
        st.tuples(st.just("suspicion"), st.sampled_from("bc"), st.sampled_from("abcx")),
        st.tuples(st.just("report"), st.sampled_from("bc"), st.sampled_from("abcx")),
        st.tuples(st.just("wire"), st.sampled_from("bcx"), st.booleans()),
        st.tuples(st.just("condemn"), st.sampled_from("bcx"), st.none()),
        st.tuples(st.just("peers"), st.sets(st.sampled_from("abc")), st.none()),
        st.tuples(st.just("time"), st.floats(0, 5), st.none()),
        st.tuples(st.just("sleep"), st.floats(0, 60), st.none()),
    ),
    max_size=40,
)


@given(events, st.integers(0, 2**32))
def test_nothing_that_happens_breaks_it_or_makes_it_spin(happened: list[tuple[str, Any, Any]], seed: int) -> None:
    watch = Watch("a", Options(), Random(seed), Clock(0.03))
    now, version = 1000.0, 0
    watch.set_peers("bc", now=now)
    for kind, subject, detail in happened:
        match kind:
            case "bytes":
                watch.receive(subject, MAGIC + detail, now=now)
            case "bulletin":
                version += 1
                for data in messages.encode_bulletin(Edition(5, version), detail, now=now):
                    watch.receive(subject, data, now=now)
            case "suspicion":
                watch.receive(subject, messages.encode_suspicion(detail, 0.2), now=now)
            case "report":
                watch.receive(subject, messages.encode_report(detail, heard=bool(version % 2)), now=now)
            case "wire":
                watch.wire(subject, answered=detail, now=now)
            case "condemn":
                watch.condemn(subject, now=now)
            case "peers":
                watch.set_peers(subject, now=now)
            case "sleep":
                now += subject
                watch.handle_timer(now=now)
            case _:
                end, steps = now + subject, 0
                while (due := watch.next_timer()) is not None and due <= end:
                    now = max(due, now)
                    watch.handle_timer(now=now)
                    steps += 1
                assert steps < 200 * subject + 200
                now = end
        sent = [effect for effect in watch.drain() if isinstance(effect, effects.Send)]
        assert all(messages.decode(effect.data) for effect in sent)
    assert all(name in "bc" for name in watch.speakers)
