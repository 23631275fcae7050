# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster is told of what a node announces."""

from __future__ import annotations

from fakes.records import service
from lantern.core.announce import Claim, Decision, Withheld
from lantern.core.announced import announced
from lantern.core.requests import Denied
from lantern.reasons import Reason


def test_each_service_once_with_the_interfaces_that_are_named() -> None:
    web, tv, far = service("web", "10.0.0.1", "fd00::1"), service("tv", "10.0.0.2"), service("far", "10.0.0.3")
    named = frozenset({"eth1", "eth0"})
    decision = Decision(
        {
            web.key: tuple(
                Claim(address=address, service=web, pool="home", interfaces=named) for address in web.addresses
            ),
            tv.key: (Claim(address=tv.addresses[0], service=tv, pool="home", interfaces=None),),
            far.key: Withheld(service=far, denied=Denied(Reason.NOT_OWNER, "x")),
        }
    )
    assert announced(decision) == {web.key: ("eth0", "eth1"), tv.key: ()}


def test_nothing_is_known_while_the_speaker_starts() -> None:
    web = service("web", "10.0.0.1")
    starting = Withheld(service=web, denied=Denied(Reason.STARTING, "x"))
    assert announced(Decision({web.key: starting})) is None
    assert announced(Decision()) == {}
