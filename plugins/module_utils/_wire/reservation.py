# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out by asking whether DHCP servers hand out addresses of the pools. PRIVATE to homelab.lantern, pure.

A machine: `next_question` says what to ask, `heard` takes offers, both with the time; `judgements` says what it shows.
Nothing is ever requested, so no lease comes about. A server that does not offer a pool's address proves something only
if it is one that offers what clients ask for, which wishes.py finds out. One question is in the air at a time, as some
servers think for seconds about each.
"""

from __future__ import annotations

import enum
import random
import typing as t
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, RangeSet

from .discover import Offer
from .wishes import Wish, Wishes

PROVEN, FAILED, UNKNOWN = "proven", "failed", "unknown"
ORDER = (PROVEN, UNKNOWN, FAILED)
"""From the best to the worst."""

PATIENCE_SECONDS = 4.0
"""How long an answer may take: dnsmasq pings an address for three seconds before it offers it."""

ATTEMPTS = 3
"""How often the first question is asked."""


class Purpose(enum.Enum):
    """What a question is for."""

    ANY = "which servers are there"
    POOL = "is an address of the pools offered"
    OTHER = "is an address offered because it is asked for"


@dataclass
class Question:
    """One DHCPDISCOVER; `address` is what it asks for, "" for nothing. `wish`: of which server; `offers` by server."""

    xid: int
    purpose: Purpose
    address: str = ""
    sent: float | None = None
    repeated: bool = False
    wish: tuple[str, Wish] | None = None
    offers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A DHCP server that has answered."""

    address: str
    mac: str
    relay: str
    heard_at: float = 0.0
    wishes: Wishes = field(default_factory=Wishes)


class Judgement(t.NamedTuple):
    """What was found about one server; `text` is whole sentences."""

    server: str
    mac: str
    relay: str
    verdict: str
    text: str


def samples(
    pools: t.Sequence[AddressRange], held: t.Container[IPv4Address], count: int, rng: random.Random
) -> list[str]:
    """Addresses of the pools to ask for: the free ones nearest to the edges, then some between, at most `count`."""
    chosen: list[IPv4Address] = []
    parts = list(RangeSet(pools))
    for part in parts:
        for values in (range(part.first, part.last + 1), range(part.last, part.first - 1, -1)):
            free = next((IPv4Address(value) for value in values if IPv4Address(value) not in held), None)
            if free is not None and free not in chosen and len(chosen) < count:
                chosen.append(free)
    total = sum(part.size for part in parts)
    for _attempt in range(20 * count):
        if len(chosen) >= count or not total:
            break
        index = rng.randrange(total)
        for part in parts:
            if index < part.size:
                address = IPv4Address(part.first + index)
                if address not in held and address not in chosen:
                    chosen.append(address)
                break
            index -= part.size
    return [str(address) for address in chosen]


class Inquiry:
    """Asks all DHCP servers of a LAN about pools. `held`: addresses that some host has, which are not asked for."""

    def __init__(
        self,
        pools: t.Sequence[AddressRange],
        lan: AddressRange,
        held: t.Container[IPv4Address],
        *,
        count: int = 4,
        rng: random.Random,
    ) -> None:
        self._pools = pools
        self._lan = lan
        self._held = held
        self._rng = rng
        self.servers: dict[str, Server] = {}
        self.asked: list[Question] = []
        self._waiting = [self._question(Purpose.ANY)]
        self._waiting += [self._question(Purpose.POOL, item) for item in samples(pools, held, count, rng)]

    def _question(self, purpose: Purpose, address: str = "") -> Question:
        return Question(self._rng.getrandbits(32), purpose, address)

    def next_question(self, *, now: float) -> Question | None:
        """What is to be sent now, None while an answer may still come, or when all is said."""
        if self.asked and not self._answered(self.asked[-1], now):
            return None
        if self.asked and not self.servers:
            if len(self.asked) >= ATTEMPTS:
                return None
            question = self._question(Purpose.ANY)
        elif self._failed():
            return None
        elif self._waiting:
            question = self._waiting.pop(0)
        else:
            follow_up = self._follow_up()
            if follow_up is None:
                return None
            question = follow_up
        question.sent = now
        self.asked.append(question)
        return question

    def _follow_up(self) -> Question | None:
        following, silent = self._next_wish(), self._unanswered()
        if following is not None:
            server, wish = following
            server.wishes.made.append(wish)
            question = self._question(Purpose.OTHER, str(IPv4Address(wish.address)))
            question.wish = (server.address, wish)
            return question
        if silent is not None:
            silent.repeated = True
            again = self._question(Purpose.POOL, silent.address)
            again.repeated = True
            return again
        return None

    def is_over(self, *, now: float) -> bool:
        """Whether nothing more is to be sent and every answer has come, or had its time."""
        if not self.asked or not self._answered(self.asked[-1], now):
            return False
        if not self.servers:
            return len(self.asked) >= ATTEMPTS
        if self._failed():
            return True
        # A second, slower server may still think about the very first question.
        if now < (self.asked[0].sent or 0.0) + PATIENCE_SECONDS:
            return False
        owed = any(server.wishes.pending is not None for server in self.servers.values())
        return not self._waiting and not owed and self._next_wish() is None and self._unanswered() is None

    def _answered(self, question: Question, now: float) -> bool:
        """Whether every known server has answered, or had its time; a question that had is given up."""
        # One that still answers earlier questions, one after the other, is not late.
        busy = [item.heard_at for name, item in self.servers.items() if name not in question.offers]
        everybody = bool(self.servers) and not busy
        late = now >= max([question.sent or 0.0, *busy]) + PATIENCE_SECONDS
        if late and question.wish is not None and question.wish[1].granted is None:
            question.wish[1].granted = False
        return everybody or late

    def heard(self, offer: Offer, *, now: float) -> None:
        """An offer came; those to others than the invented clients are passed over."""
        question = next((item for item in self.asked if item.xid == offer.xid), None)
        if question is None:
            return
        server = self.servers.setdefault(offer.server, Server(offer.server, offer.server_mac, offer.relay))
        server.heard_at = now
        question.offers.setdefault(offer.server, offer.address)
        if question.wish is not None and question.wish[0] == offer.server:
            question.wish[1].granted = offer.address == question.address

    def _failed(self) -> bool:
        return any(self._in_pools(address) for question in self.asked for address in question.offers.values())

    def _in_pools(self, address: str) -> bool:
        return any(IPv4Address(address) in part for part in self._pools)

    def _next_wish(self) -> tuple[Server, Wish] | None:
        """What is to be asked for next to find out whether a server heeds wishes."""
        for server in self.servers.values():
            offers = [int(IPv4Address(q.offers[server.address])) for q in self.asked if server.address in q.offers]
            wish = server.wishes.following(offers, self._may_be_asked_for)
            if wish is not None:
                return server, wish
        return None

    def _may_be_asked_for(self, value: int) -> bool:
        inside = self._lan.first < value < self._lan.last
        return inside and IPv4Address(value) not in self._held and not self._in_pools(str(IPv4Address(value)))

    def _unanswered(self) -> Question | None:
        """A question for a pool's address that some server has not answered and that was not repeated."""
        for question in self.asked:
            if (
                question.purpose is Purpose.POOL
                and not question.repeated
                and not set(self.servers) <= set(question.offers)
            ):
                return question
        return None

    def judgements(self) -> list[Judgement]:
        """One for each server, in the order in which they answered."""
        return [
            Judgement(server.address, server.mac, server.relay, *self._judge(server))
            for server in self.servers.values()
        ]

    def _judge(self, server: Server) -> tuple[str, str]:
        offered = [q.offers[server.address] for q in self.asked if server.address in q.offers]
        inside = list(dict.fromkeys(address for address in offered if self._in_pools(address)))
        if inside:
            return FAILED, f"offers {', '.join(inside)}, which the pools hold."
        pool = [q for q in self.asked if q.purpose is Purpose.POOL]
        answered = {q.address for q in pool if server.address in q.offers}
        silent = list(dict.fromkeys(q.address for q in pool if q.address not in answered))
        if not server.wishes.heeded and self._failed():
            return UNKNOWN, "was not asked any further, as another server had already failed."
        if not server.wishes.heeded:
            tried = ", ".join(dict.fromkeys(str(IPv4Address(wish.address)) for wish in server.wishes.made)) or "none"
            return UNKNOWN, (
                f"does not offer the addresses that it is asked for (tried {tried}). "
                f"So it proves nothing that none of its {len(offered)} offers lies in the pools."
            )
        if silent:
            return UNKNOWN, f"gave no answer when asked for {', '.join(silent)}."
        if not answered:
            return UNKNOWN, "could not be asked for any address of the pools: all that were tried are in use."
        return PROVEN, f"offers what it is asked for, but none of {', '.join(sorted(answered, key=IPv4Address))}."


def worst(verdicts: t.Iterable[str]) -> str:
    """The verdict over all; unknown when there is none."""
    return max(verdicts, key=ORDER.index, default=UNKNOWN)
