# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out by asking whether DHCP servers hand out addresses of the pools. PRIVATE to homelab.lantern, pure.

A machine: `next_question` says what to ask, `heard` takes offers, both with the time; `judgements` says what it shows.
Nothing is ever requested, so no lease comes about. A server that does not offer a pool's address proves something only
if it is one that offers what clients ask for, which wishes.py finds out; what else counts for IPv6 says reach.py. One
question is in the air at a time, as some servers think for seconds about each.

The same machine serves DHCP and DHCPv6: what is offered there is advertised here, but either means what the server
would give. It knows questions and answers as addresses; discover.py and solicit.py know them as frames.
"""

from __future__ import annotations

import enum
import random
import typing as t
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, RangeSet

from .reach import out_of_reach
from .wishes import Wish, Wishes

Address = t.Union[IPv4Address, IPv6Address]

PROVEN, FAILED, UNKNOWN = "proven", "failed", "unknown"
ORDER = (PROVEN, UNKNOWN, FAILED)
"""From the best to the worst."""

PATIENCE_SECONDS = 4.0
"""How long an answer may take: dnsmasq pings an address for three seconds before it offers it."""

PATIENCE6_SECONDS = 2.0
"""The same for DHCPv6, where no server pings: twice what clients wait (SOL_TIMEOUT, RFC 8415 section 7.6)."""

_XID_BITS = {4: 32, 6: 24}

ATTEMPTS = 3
"""How often the first question is asked."""


class Purpose(enum.Enum):
    """What a question is for."""

    ANY = "which servers are there"
    POOL = "is an address of the pools offered"
    OTHER = "is an address offered because it is asked for"


@dataclass
class Question:
    """One DHCPDISCOVER or Solicit; `address` is what it asks for, "" for nothing.

    `wish`: of which server. `offers`: what each server would give, by its identity; () for a refusal.
    """

    xid: int
    purpose: Purpose
    address: str = ""
    sent: float | None = None
    repeated: bool = False
    wish: tuple[str, Wish] | None = None
    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Answer(t.Protocol):
    """What a server says to a question: see discover.Offer and solicit.Advertisement."""

    @property
    def xid(self) -> int: ...
    @property
    def addresses(self) -> tuple[str, ...]: ...
    @property
    def identity(self) -> str: ...
    @property
    def server(self) -> str: ...
    @property
    def server_mac(self) -> str: ...
    @property
    def relay(self) -> str: ...
    @property
    def duid(self) -> str: ...


@dataclass
class Server:
    """A DHCP server that has answered; `duid` is empty for IPv4."""

    identity: str
    address: str
    mac: str
    relay: str
    duid: str = ""
    heard_at: float = 0.0
    wishes: Wishes = field(default_factory=Wishes)


class Judgement(t.NamedTuple):
    """What was found about one server; `text` is whole sentences."""

    server: str
    mac: str
    relay: str
    verdict: str
    text: str
    duid: str = ""


def samples(pools: t.Sequence[AddressRange], held: t.Container[Address], count: int, rng: random.Random) -> list[str]:
    """Addresses of the pools to ask for: the free ones nearest to the edges, then some between, at most `count`."""
    chosen: list[Address] = []
    parts = list(RangeSet(pools))
    of_value = IPv4Address if all(part.version == 4 for part in parts) else IPv6Address
    for part in parts:
        for values in (range(part.first, part.last + 1), range(part.last, part.first - 1, -1)):
            free = next((of_value(value) for value in values if of_value(value) not in held), None)
            if free is not None and free not in chosen and len(chosen) < count:
                chosen.append(free)
    total = sum(part.size for part in parts)
    for _attempt in range(20 * count):
        if len(chosen) >= count or not total:
            break
        index = rng.randrange(total)
        for part in parts:
            if index < part.size:
                address = of_value(part.first + index)
                if address not in held and address not in chosen:
                    chosen.append(address)
                break
            index -= part.size
    return [str(address) for address in chosen]


def samples_of(
    looked_at: t.Sequence[IPv6Address], pools: t.Sequence[AddressRange], held: t.Container[Address], count: int
) -> list[str]:
    """The same for pools too large for it: only out of addresses that were looked at, those between from the last."""
    free = [address for address in looked_at if address not in held]
    rows = [sorted(address for address in free if address in part) for part in RangeSet(pools)]
    edges = [address for row in rows if row for address in (row[0], row[-1])]
    return [str(address) for address in list(dict.fromkeys([*edges, *reversed(free)]))[:count]]


class Inquiry:
    """Asks all DHCP servers of a LAN about pools, all of one IP version.

    `lan`: where addresses outside the pools may be asked for. Begins by asking for nothing in particular; the rest
    follows when `ask_for` has said for what.
    """

    def __init__(
        self,
        pools: t.Sequence[AddressRange],
        lan: AddressRange,
        *,
        rng: random.Random,
    ) -> None:
        self._pools = pools
        self._lan = lan
        self._held: t.Container[Address] | None = None
        self._rng = rng
        self._address = IPv4Address if lan.version == 4 else IPv6Address
        self.patience = PATIENCE_SECONDS if lan.version == 4 else PATIENCE6_SECONDS
        self.servers: dict[str, Server] = {}
        self.asked: list[Question] = []
        self._waiting = [self._question(Purpose.ANY)]

    def ask_for(self, wanted: t.Sequence[str], held: t.Container[Address]) -> None:
        """Ask for these addresses of the pools, and for none of those that some host has."""
        self._held = held
        self._waiting += [self._question(Purpose.POOL, item) for item in wanted]

    def _question(self, purpose: Purpose, address: str = "") -> Question:
        return Question(self._rng.getrandbits(_XID_BITS[self._lan.version]), purpose, address)

    def next_question(self, *, now: float) -> Question | None:
        """What is to be sent now, None while an answer may still come, or when all is said."""
        if self.asked and (self._held is None or not self._answered(self.asked[-1], now)):
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
            question = self._question(Purpose.OTHER, str(self._address(wish.address)))
            question.wish = (server.identity, wish)
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
        if now < (self.asked[0].sent or 0.0) + self.patience:
            return False
        owed = any(server.wishes.pending is not None for server in self.servers.values())
        return not self._waiting and not owed and self._next_wish() is None and self._unanswered() is None

    def _answered(self, question: Question, now: float) -> bool:
        """Whether every known server has answered, or had its time; a question that had is given up."""
        # One that still answers earlier questions, one after the other, is not late.
        busy = [item.heard_at for name, item in self.servers.items() if name not in question.offers]
        everybody = bool(self.servers) and not busy
        late = now >= max([question.sent or 0.0, *busy]) + self.patience
        if late and question.wish is not None and question.wish[1].granted is None:
            question.wish[1].granted = False
        return everybody or late

    def heard(self, answer: Answer, *, now: float) -> None:
        """An answer came; those to others than the invented clients are passed over."""
        question = next((item for item in self.asked if item.xid == answer.xid), None)
        if question is None:
            return
        fresh = Server(answer.identity, answer.server, answer.server_mac, answer.relay, answer.duid)
        server = self.servers.setdefault(answer.identity, fresh)
        server.heard_at = now
        question.offers.setdefault(answer.identity, answer.addresses)
        if question.wish is not None and question.wish[0] == answer.identity:
            question.wish[1].granted = question.address in answer.addresses

    def _failed(self) -> bool:
        return any(self._in_pools(address) for server in self.servers.values() for address in self._offered(server))

    def _in_pools(self, address: str) -> bool:
        return any(self._address(address) in part for part in self._pools)

    def _offered(self, server: Server) -> list[str]:
        """All addresses that the server has offered, in order."""
        return [address for question in self.asked for address in question.offers.get(server.identity, ())]

    def _next_wish(self) -> tuple[Server, Wish] | None:
        """What is to be asked for next to find out whether a server heeds wishes."""
        for server in self.servers.values():
            offers = [int(self._address(address)) for address in self._offered(server)]
            wish = server.wishes.following(offers, self._may_be_asked_for)
            if wish is not None:
                return server, wish
        return None

    def _may_be_asked_for(self, value: int) -> bool:
        if not self._lan.first < value < self._lan.last:
            return False
        return self._address(value) not in (self._held or ()) and not self._in_pools(str(self._address(value)))

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
            Judgement(server.address, server.mac, server.relay, *self._judge(server), server.duid)
            for server in self.servers.values()
        ]

    def _judge(self, server: Server) -> tuple[str, str]:
        offered = self._offered(server)
        inside = list(dict.fromkeys(address for address in offered if self._in_pools(address)))
        if inside:
            return FAILED, f"offers {', '.join(inside)}, which the pools hold."
        if not offered:
            return PROVEN, "answers that it has no address for a new host."
        pool = [q for q in self.asked if q.purpose is Purpose.POOL]
        answered = {q.address for q in pool if server.identity in q.offers}
        silent = list(dict.fromkeys(q.address for q in pool if q.address not in answered))
        if not server.wishes.heeded:
            return self._judge_heedless(server, offered)
        if silent:
            return UNKNOWN, f"gave no answer when asked for {', '.join(silent)}."
        if not answered:
            return UNKNOWN, "could not be asked for any address of the pools: all that were tried are in use."
        return PROVEN, f"offers what it is asked for, but none of {', '.join(sorted(answered, key=ip_address))}."

    def _judge_heedless(self, server: Server, offered: t.Sequence[str]) -> tuple[str, str]:
        """The same for a server that did not show that it offers what it is asked for."""
        if self._failed():
            return UNKNOWN, "was not asked any further, as another server had already failed."
        values = [int(self._address(address)) for address in offered]
        if self._lan.version == 6 and out_of_reach(values, self._pools):
            lowest, highest = self._address(min(values)), self._address(max(values))
            return PROVEN, (
                f"chooses addresses itself: its {len(set(values))} offers lie between {lowest} and {highest}, too far "
                "from the pools to reach them."
            )
        tried = ", ".join(dict.fromkeys(str(self._address(wish.address)) for wish in server.wishes.made)) or "none"
        return UNKNOWN, (
            f"does not offer the addresses that it is asked for (tried {tried}). "
            f"So it proves nothing that none of its {len(offered)} offers lies in the pools."
        )


def worst(verdicts: t.Iterable[str]) -> str:
    """The verdict over all; unknown when there is none."""
    return max(verdicts, key=ORDER.index, default=UNKNOWN)
