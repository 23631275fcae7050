# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides end with the same bulletin, whatever gets lost or comes late."""

from __future__ import annotations

from lantern.tenure import Bulletin, Tenure
from lantern.watch import messages
from lantern.watch.messages import NONE, Delta, Edition, Page
from lantern.watch.publication import Publication, Subscription


def key(number: int) -> bytes:
    return number.to_bytes(4, "big")


def bulletin(*numbers: int, term: int = 1) -> Bulletin:
    return Bulletin(ready=True, tenures={key(number): Tenure(term, 0.0) for number in numbers})


def deliver(data: list[bytes], to: Subscription) -> bool:
    news = False
    for item in data:
        match messages.decode(item):
            case Page() as page:
                news = to.take_page(page, now=0.0) or news
            case Delta() as delta:
                news = to.take_delta(delta, now=0.0) or news
    return news


def test_nothing_is_sent_before_anything_is_published_or_when_it_is_known() -> None:
    mine = Publication(7)
    assert mine.current is None and mine.bring(NONE, now=0.0) == []
    assert mine.publish(bulletin(1)) and not mine.publish(bulletin(1))
    assert mine.bring(mine.edition, now=0.0) == []


def test_change_travels_as_a_difference() -> None:
    mine, theirs = Publication(7), Subscription()
    mine.publish(bulletin(*range(500)))
    assert deliver(mine.bring(NONE, now=0.0), theirs)
    mine.publish(bulletin(*range(1, 501)))
    (data,) = mine.bring(theirs.edition, now=0.0)
    assert len(data) < 60
    assert deliver([data], theirs)
    assert theirs.bulletin == mine.current and theirs.edition == mine.edition


def test_pages_in_any_order_with_losses_in_between() -> None:
    mine, theirs = Publication(7), Subscription()
    mine.publish(bulletin(*range(300)))
    pages = mine.bring(NONE, now=0.0)
    assert len(pages) == 4
    assert not deliver([pages[3], pages[1]], theirs)
    assert not deliver([pages[1], pages[0]], theirs)
    assert deliver([pages[2]], theirs)
    assert theirs.bulletin == mine.current


def test_pages_of_two_versions_are_not_mixed() -> None:
    mine, theirs = Publication(7), Subscription()
    mine.publish(bulletin(*range(200)))
    first = mine.bring(NONE, now=0.0)
    mine.publish(bulletin(*range(200), term=2))
    second = mine.bring(NONE, now=0.0)
    assert not deliver(first[:1], theirs)
    assert not deliver(second[1:], theirs)
    assert deliver(second[:1], theirs)
    assert theirs.bulletin == mine.current


def test_late_pages_and_differences_change_nothing() -> None:
    mine, theirs = Publication(7), Subscription()
    mine.publish(bulletin(1))
    first = mine.bring(NONE, now=0.0)
    deliver(first, theirs)
    mine.publish(bulletin(1, 2))
    step = mine.bring(theirs.edition, now=0.0)
    deliver(step, theirs)
    assert not deliver([*first, *step], theirs)
    assert theirs.bulletin == mine.current


def test_who_is_far_behind_or_knew_an_earlier_life_gets_everything() -> None:
    mine = Publication(7)
    for number in range(20):
        mine.publish(bulletin(number))
    for seen in (Edition(7, 2), Edition(6, 20)):
        theirs = Subscription()
        theirs.edition, theirs.bulletin = seen, bulletin(99)
        assert deliver(mine.bring(seen, now=0.0), theirs)
        assert theirs.bulletin == mine.current
