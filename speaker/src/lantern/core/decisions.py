# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan consists of. How it is made is in core.allocate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lantern.core.model import Service
from lantern.core.requests import Denied
from lantern.pools import Address
from lantern.reasons import Reason

TAKEN_AWAY = frozenset(
    {
        Reason.NOT_IN_POOLS,
        Reason.AVOIDED_ADDRESS,
        Reason.SPLIT_OVER_POOLS,
        Reason.POOL_NOT_COMPATIBLE,
        Reason.ADDRESS_IN_USE,
        Reason.SHARING_KEY_DIFFERS,
        Reason.SHARING_PODS_DIFFER,
        Reason.PORT_IN_USE,
        Reason.PINNED_FOR_ANOTHER,
        Reason.PINNED_ELSEWHERE,
    }
)
"""Why a Service loses an address without having asked for it: by the configuration, or by other Services."""


class AssignKind(Enum):
    """What is new about an assignment."""

    NEW = "new"
    ADDITIONAL = "additional"
    """The Service keeps what it has and gets an address of its other family."""
    FEWER = "fewer"
    """The Service keeps one address and loses another."""
    POOL_NAME = "poolName"
    """Only the name of the pool, or the order of the same addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Write these addresses (IPv4 first) and the pool's name to the Service."""

    service: Service
    addresses: tuple[Address, ...]
    pool: str
    lost: Denied | None = None
    """Why addresses it had were given up, if any were."""

    @property
    def kind(self) -> AssignKind:
        before, after = set(self.service.addresses), set(self.addresses)
        if before == after:
            return AssignKind.POOL_NAME
        if after < before:
            return AssignKind.FEWER
        return AssignKind.ADDITIONAL if before and before < after else AssignKind.NEW

    @property
    def is_new(self) -> bool:
        """False when the Service has these addresses already and only the pool's name changes."""
        return self.kind is not AssignKind.POOL_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The Service keeps what it has. It may be in Plan.refuse as well: for what it asks beyond that."""

    service: Service
    pool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Take the addresses away from the Service."""

    service: Service
    lost: Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The Service does not get what it asks for."""

    service: Service
    denied: Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something to tell about a Service that is no refusal. `denied.sentence` is the whole message of the Event."""

    service: Service
    event_reason: str
    denied: Denied
    is_warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What should be, for every Service that is ours: each is in assign or keep if it has addresses afterwards."""

    assign: tuple[Assign, ...] = ()
    keep: tuple[Keep, ...] = ()
    release: tuple[Release, ...] = ()
    refuse: tuple[Refuse, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be written."""
        return not self.assign and not self.release
