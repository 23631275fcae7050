# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When Services get and lose their addresses, as the API server tells it, and whether two ever have the same one."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from .api import ClusterApi, RefusedError, Stream

LIST_SECONDS = 60.0
_SHARING = ("metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip")


class _Metadata(msgspec.Struct):
    name: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    annotations: dict[str, str] | None = None


class _Ingress(msgspec.Struct):
    ip: str = ""


class _LoadBalancer(msgspec.Struct):
    ingress: list[_Ingress] = []


class _Status(msgspec.Struct):
    load_balancer: _LoadBalancer = msgspec.field(default_factory=_LoadBalancer, name="loadBalancer")


class _Service(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    status: _Status = msgspec.field(default_factory=_Status)


class _ServiceList(msgspec.Struct):
    metadata: _Metadata
    items: list[_Service]


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_decode_list = msgspec.json.Decoder(_ServiceList).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_service = msgspec.json.Decoder(_Service).decode


@dataclass(slots=True)
class AddressWatch:
    """Follows one namespace's Services: when each had its first address (monotonic seconds), and which it has now.

    A thread of its own; it lists anew and goes on when the API server ends the watch or was away.
    """

    api: ClusterApi
    namespace: str
    since: dict[str, float] = field(default_factory=dict)
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    losses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Services that lost or changed an address while they existed, and what they had last before."""
    clashes: list[str] = field(default_factory=list)
    """Every time an address was seen at a second Service that does not share it by key, as a sentence."""
    _keys: dict[str, str] = field(default_factory=dict)
    _holders: dict[str, set[str]] = field(default_factory=dict)
    """The reverse of `addresses`."""
    _news: threading.Condition = field(default_factory=threading.Condition)
    _stop: bool = False
    _stream: Stream | None = None
    _thread: threading.Thread | None = None

    @classmethod
    def start(cls, api: ClusterApi, namespace: str) -> AddressWatch:
        """Start to follow; returns when the first list has been read."""
        watch = cls(api, namespace)
        ready = threading.Event()
        watch._thread = threading.Thread(target=watch._run, args=(ready,), daemon=True, name="address-watch")
        watch._thread.start()
        if not ready.wait(LIST_SECONDS):
            raise TimeoutError(f"the API server did not list the Services of {namespace} in {LIST_SECONDS:.0f} s")
        return watch

    def stop(self) -> None:
        """Follow no more."""
        self._stop = True
        if self._stream is not None:
            self._stream.close()
        if self._thread is not None:
            self._thread.join(LIST_SECONDS)

    def wait(self, names: Iterable[str], seconds: float) -> set[str]:
        """Wait until all named Services have had an address; returns those that did not in `seconds`."""
        missing = set(names)
        deadline = time.monotonic() + seconds
        with self._news:
            while missing := missing - self.since.keys():
                left = deadline - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    return missing - self.since.keys()
        return missing

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until `condition`, asked again after each change of a Service, holds."""
        with self._news:
            return self._news.wait_for(condition, seconds)

    def _run(self, ready: threading.Event) -> None:
        base = f"/api/v1/namespaces/{self.namespace}/services"
        while not self._stop:
            try:
                listed = _decode_list(b"".join(self.api.stream(base)))
                self._see_all(listed.items)
                ready.set()
                version = listed.metadata.resource_version
                self._follow(f"{base}?watch=1&allowWatchBookmarks=true&resourceVersion={version}")
            except (OSError, http.client.HTTPException, RefusedError, msgspec.DecodeError):
                time.sleep(0.2)

    def _follow(self, path: str) -> None:
        self._stream = self.api.stream(path)
        for line in self._stream:
            event = _decode_event(line)
            if self._stop or event.type == "ERROR":
                return
            if event.type == "DELETED":
                self._gone(_decode_service(event.object).metadata.name)
            elif event.type != "BOOKMARK":
                self._see(_decode_service(event.object))

    def _see_all(self, services: list[_Service]) -> None:
        """A list is of one moment: what all had before must be out of the way, or heirs would seem to clash."""
        with self._news:
            before = dict(self.addresses)
            for name in before:
                self._drop(name)
            for service in services:
                self._take(service, before.get(service.metadata.name, ()))
            self._news.notify_all()

    def _see(self, service: _Service) -> None:
        with self._news:
            before = self.addresses.get(service.metadata.name, ())
            self._drop(service.metadata.name)
            self._take(service, before)
            self._news.notify_all()

    def _gone(self, name: str) -> None:
        with self._news:
            self._drop(name)
            self._news.notify_all()

    def _drop(self, name: str) -> None:
        for address in self.addresses.pop(name, ()):
            self._holders[address].discard(name)

    def _take(self, service: _Service, before: tuple[str, ...]) -> None:
        name, found = service.metadata.name, _ips(service)
        self._keys[name] = _sharing_key(service)
        if before and before != found:
            self.losses[name] = before
        if not found:
            return
        self.since.setdefault(name, time.monotonic())
        self.addresses[name] = found
        for address in found:
            holders = self._holders.setdefault(address, set())
            if address not in before:
                self.clashes += [self._clash(name, other, address) for other in holders if not self._share(name, other)]
            holders.add(name)

    def _share(self, one: str, other: str) -> bool:
        return bool(self._keys[one]) and self._keys[one] == self._keys[other]

    @staticmethod
    def _clash(name: str, other: str, address: str) -> str:
        return f"{name} was given {address} while {other} had it"


def _ips(service: _Service) -> tuple[str, ...]:
    return tuple(entry.ip for entry in service.status.load_balancer.ingress if entry.ip)


def _sharing_key(service: _Service) -> str:
    annotations = service.metadata.annotations or {}
    return next((annotations[key] for key in _SHARING if key in annotations), "")
