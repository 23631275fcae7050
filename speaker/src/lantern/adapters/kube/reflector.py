# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a store equal to one collection of the API server: list once, then watch; list again when history is lost.

Three parts: `Store` (what is known), `Follower` (what to ask next and after which pause; no I/O), `follow` (the loop).
No event is lost: a watch goes on where the last one ended, and a list after lost history also finds what was deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from lantern.adapters.kube.api import ApiError, stream_error
from lantern.adapters.kube.wire import Envelope, Meta, Versioned, WatchLine
from lantern.adapters.logs import fields
from lantern.pools import Problem

log = logging.getLogger("lantern.kube")

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_SHORTEST_WATCH_SECONDS = 1.0
# More objects than this are read by another list rather than one by one.
_FEW = 20
_TEMPORARY = frozenset((0, 401, 403, 429, 502, 503, 504))


class ObjectId(NamedTuple):
    """Which object of a kind."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """One object as last seen; the value is a Problem when it cannot be read."""

    resource_version: str
    value: T | Problem


class Store(Generic[T]):
    """The latest state of one kind: `plural` is its name in the API, `convert` reads an object (ValueError: cannot).

    `only` narrows it down to the one object of that name.
    """

    def __init__(self, plural: str, path: str, convert: Callable[[msgspec.Raw], T], only: str = "") -> None:
        self.plural = plural
        self.path = path
        self.only = only
        self.is_synced = False
        self.is_current = False
        """Whether it is being followed now: False from when a request failed until one succeeds again."""
        self._convert = convert
        self._held: dict[ObjectId, Held[T]] = {}
        self._objects: tuple[T, ...] | None = None
        self._meanwhile: list[tuple[msgspec.Raw, bool]] | None = None
        """While a list is read beside a running watch: what the watch tells, and whether the object is gone."""
        self.listed_version = 0
        """Whatever happened up to this version is in the list that was taken last."""
        self.listed_at = -math.inf
        """When that list was asked for: whatever happened before is in it. Seconds of the event loop's clock."""

    @property
    def objects(self) -> tuple[T, ...]:
        """Every object that can be read: the same tuple until one is replaced, added or removed."""
        if self._objects is None:
            self._objects = tuple(held.value for held in self._held.values() if not isinstance(held.value, Problem))
        return self._objects

    def values(self) -> Iterator[T]:
        """One after the other."""
        return iter(self.objects)

    def items(self) -> Iterator[tuple[ObjectId, T]]:
        """The same with their identities."""
        return ((key, held.value) for key, held in self._held.items() if not isinstance(held.value, Problem))

    def unreadable(self) -> list[Problem]:
        """Every object that cannot."""
        return [held.value for held in self._held.values() if isinstance(held.value, Problem)]

    def replace(
        self, raws: Iterable[msgspec.Raw], resource_version: str = "", unchanged: Collection[ObjectId] = ()
    ) -> bool:
        """Take a complete list, read at `resource_version`; whether anything changed.

        Objects in `unchanged` are in the list, too, as they are held.
        """
        before = {key: held.value for key, held in self._held.items()}
        version = _number(resource_version)
        if version < self.listed_version:
            # The cluster was restored from a backup: versions known from before it mean nothing any more.
            self._held = {key: replace(held, resource_version="") for key, held in self._held.items()}
        self.listed_version = version
        seen: set[ObjectId] = set(unchanged)
        for raw in raws:
            key, meta = _identity(raw)
            seen.add(key)
            self._take(key, meta, raw)
        for key in self._held.keys() - seen:
            self._drop(key)
        # The watch was ahead of this list; what it told after the list's version holds.
        for raw, gone in self._meanwhile or ():
            self._apply(raw, gone)
        first, self.is_synced = not self.is_synced, True
        return first or before != {key: held.value for key, held in self._held.items()}

    def knows(self, key: ObjectId, meta: Meta) -> bool:
        """Whether the object is held in this version or a later one."""
        held = self._held.get(key)
        return held is not None and 0 < _number(meta.resourceVersion) <= _number(held.resource_version)

    @contextlib.contextmanager
    def listing_beside_watch(self) -> Iterator[None]:
        """A list is read while the watch goes on: `replace` must not undo what the watch tells meanwhile."""
        self._meanwhile = []
        try:
            yield
        finally:
            self._meanwhile = None

    def upsert(self, raw: msgspec.Raw) -> bool:
        """Take one object that was added or modified; whether that changes what is known of it."""
        return self._told(raw, gone=False)

    def remove(self, raw: msgspec.Raw) -> bool:
        """Take one object that was deleted; whether it was known."""
        return self._told(raw, gone=True)

    def _told(self, raw: msgspec.Raw, gone: bool) -> bool:
        if self._meanwhile is not None:
            self._meanwhile.append((raw, gone))
        return self._apply(raw, gone)

    def _apply(self, raw: msgspec.Raw, gone: bool) -> bool:
        key, meta = _identity(raw)
        # A watch may lag behind a list that was taken meanwhile; it must not bring back what is gone.
        if self._is_history(meta):
            return False
        return self._forget(key, meta) if gone else self._take(key, meta, raw)

    def _is_history(self, meta: Meta) -> bool:
        return 0 < _number(meta.resourceVersion) <= self.listed_version

    def _take(self, key: ObjectId, meta: Meta, raw: msgspec.Raw) -> bool:
        # What this process wrote, or read by itself, is known from the answer. A watch line or list that is older must
        # not undo that, or the next decision would be made on a state in which an address just given away is free
        # again. And a list mostly repeats what is known.
        if self.knows(key, meta):
            return False
        known = self._held.get(key)
        held = self._read(key, meta, raw)
        self._held[key], self._objects = held, None
        return known is None or known.value != held.value

    def wrote(self, raw: msgspec.Raw) -> None:
        """Take the answer to this process's own write."""
        key, meta = _identity(raw)
        if key in self._held:
            self._take(key, meta, raw)

    def _forget(self, key: ObjectId, meta: Meta) -> bool:
        # Not when it was made again since.
        return not self.knows(key, meta) and self._drop(key)

    def _drop(self, key: ObjectId) -> bool:
        self._objects = None
        return self._held.pop(key, None) is not None

    def _read(self, key: ObjectId, meta: Meta, raw: msgspec.Raw) -> Held[T]:
        try:
            return Held(meta.resourceVersion, self._convert(raw))
        except ValueError as error:
            where = f"{self.plural} {key.namespace}/{key.name}"
            log.error("object cannot be read", extra=fields(object=where, error=str(error)))
            return Held(
                meta.resourceVersion,
                Problem("unreadable", where, f"{where} cannot be read: {error}. Correct or delete it."),
            )


def _identity(raw: msgspec.Raw) -> tuple[ObjectId, Meta]:
    meta = msgspec.json.decode(raw, type=Envelope).metadata
    return ObjectId(meta.namespace, meta.name), meta


def _number(resource_version: str) -> int:
    """Versions of one collection grow; the API server's are numbers."""
    return int(resource_version) if resource_version.isdecimal() else 0


class Follower:
    """What to ask the API server next. No I/O: the loop reports what came of it."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0
        self.resource_version: str | None = None
        """Where the next watch begins; None: list first."""

    def listed(self, resource_version: str) -> None:
        self._failures = 0
        self.resource_version = resource_version

    def saw(self, resource_version: str) -> None:
        """A watch line (also a bookmark) brought this version."""
        self._failures = 0
        if resource_version:
            self.resource_version = resource_version

    def ended(self, seconds: float) -> float:
        """The server ended the watch after `seconds`; returns the pause before the next one."""
        return 0.0 if seconds >= _SHORTEST_WATCH_SECONDS else self._pause()

    def failed(self, error: ApiError) -> float:
        """A request failed; returns the pause before the next one.

        A watch goes on where it ended when the server was out of reach, overloaded, or did not admit this process yet
        (as while it starts); any other refusal is about the request itself, so the collection is listed again.
        """
        if error.code not in _TEMPORARY:
            self.resource_version = None
        if error.is_gone:
            return 0.0
        return max(self._pause(), error.retry_after or 0.0)

    def _pause(self) -> float:
        pause = min(_FIRST_PAUSE_SECONDS * 2.0**self._failures, _LONGEST_PAUSE_SECONDS)
        self._failures = min(self._failures + 1, 16)
        # All nodes lose an API server at once; they should not all come back at once.
        return pause * self._rng.uniform(0.5, 1.0)


class Source(Protocol):
    """The part of the API that following needs."""

    async def list(self, path: str, only: str = "", metadata_only: bool = False) -> tuple[str, list[msgspec.Raw]]: ...

    def watch(self, path: str, resource_version: str, only: str = "") -> AsyncIterator[WatchLine | None]: ...


async def relist(api: Source, store: Store[T]) -> bool:
    """Read the whole collection anew, beside a running watch; whether anything changed. Raises ApiError.

    Of objects that are known, the versions are read, and then only those that have another one.
    """
    with store.listing_beside_watch():
        asked = asyncio.get_running_loop().time()
        version, raws, unchanged = await _list_news(api, store)
        if _number(version) < store.listed_version:
            # The watch has listed anew meanwhile, and goes on from there.
            return False
        store.listed_at = asked
        return store.replace(raws, version, unchanged)


async def _list_news(api: Source, store: Store[T]) -> tuple[str, list[msgspec.Raw], set[ObjectId]]:
    """The collection's version, the objects that are not held as they are now, and which ones are."""
    if not store.is_synced:
        return *await api.list(store.path, store.only), set()
    version, raws = await api.list(store.path, store.only, metadata_only=True)
    unchanged: set[ObjectId] = set()
    news: list[ObjectId] = []
    for key, meta in map(_identity, raws):
        if store.knows(key, meta):
            unchanged.add(key)
        else:
            news.append(key)
    if len(news) > _FEW:
        return *await api.list(store.path, store.only), set()
    return version, [raw for key in news for raw in await _read_one(api, store, key)], unchanged


async def _read_one(api: Source, store: Store[T], key: ObjectId) -> list[msgspec.Raw]:
    """The object as it is now; nothing when it is gone. Listed, as that right is there."""
    root, _, plural = store.path.rpartition("/")
    is_across = key.namespace and "/namespaces/" not in root
    path = f"{root}/namespaces/{key.namespace}/{plural}" if is_across else store.path
    _version, found = await api.list(path, key.name)
    return found


async def follow(api: Source, store: Store[T], on_change: Callable[[], None]) -> None:
    """Keep the store equal to the API server, for ever. `on_change` is called after every change of it."""
    follower = Follower(random.Random())
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            if follower.resource_version is None:
                version, raws = await api.list(store.path, store.only)
                follower.listed(version)
                store.listed_at = started
                changed = store.replace(raws, version)
                if _resumed(store) or changed:
                    on_change()
                continue
            async for line in api.watch(store.path, follower.resource_version, store.only):
                changed = line is not None and take(store, follower, line)
                if _resumed(store) or changed:
                    on_change()
            pause = follower.ended(loop.time() - started)
        except ApiError as error:
            pause = follower.failed(error)
            level = logging.INFO if error.is_gone else logging.WARNING
            detail = fields(kind=store.plural, error=str(error), retry_seconds=round(pause, 2))
            log.log(level, "following is interrupted, will retry", extra=detail)
            if store.is_current and not error.is_gone:
                store.is_current = False
                on_change()
        await asyncio.sleep(pause)


def _resumed(store: Store[T]) -> bool:
    """Note that following works, and say so if it did not before; whether that is news."""
    if store.is_current:
        return False
    store.is_current = True
    log.info("following", extra=fields(kind=store.plural, objects=sum(1 for _ in store.values())))
    return True


def take(store: Store[T], follower: Follower, line: WatchLine) -> bool:
    """Take one watch line into the store; whether it changed. Raises ApiError for a line of type ERROR."""
    if line.type == "ERROR":
        raise stream_error(line)
    if line.type == "BOOKMARK":
        changed = False
    elif line.type == "DELETED":
        changed = store.remove(line.object)
    else:
        changed = store.upsert(line.object)
    follower.saw(msgspec.json.decode(line.object, type=Versioned).metadata.resourceVersion)
    return changed
