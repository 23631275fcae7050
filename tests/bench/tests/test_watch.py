# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch tells clashes from sharing, and from addresses that were handed on in proper order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks.watch import AddressWatch


class _Script:
    """Stands in for the API server: what it lists, then what it tells."""

    def __init__(self, listed: list[dict[str, Any]], events: list[tuple[str, dict[str, Any]]]) -> None:
        self._listed = listed
        self._events = events
        self.done = threading.Event()

    def stream(self, path: str) -> Iterator[bytes]:
        if "watch=1" not in path:
            yield json.dumps({"metadata": {"resourceVersion": "1"}, "items": self._listed}).encode()
            return
        for kind, item in self._events:
            yield json.dumps({"type": kind, "object": item}).encode()
        self.done.set()
        threading.Event().wait()


def _service(name: str, *ips: str, key: str = "") -> dict[str, Any]:
    annotations = {"metallb.io/allow-shared-ip": key} if key else None
    ingress = [{"ip": ip} for ip in ips]
    return {"metadata": {"name": name, "annotations": annotations}, "status": {"loadBalancer": {"ingress": ingress}}}


def _watch(listed: list[dict[str, Any]], *events: tuple[str, dict[str, Any]]) -> AddressWatch:
    script = _Script(listed, list(events))
    watch = AddressWatch.start(script, "default")  # type: ignore[arg-type]
    assert script.done.wait(5)
    return watch


def test_one_address_at_two_services_is_a_clash() -> None:
    watch = _watch([_service("a", "10.0.0.1")], ("ADDED", _service("b", "10.0.0.1")))
    assert watch.clashes == ["b was given 10.0.0.1 while a had it"]


def test_within_the_first_list_as_well() -> None:
    assert len(_watch([_service("a", "10.0.0.1"), _service("b", "10.0.0.1")]).clashes) == 1


def test_sharing_by_the_same_key_is_none() -> None:
    assert not _watch([_service("a", "10.0.0.1", key="k")], ("ADDED", _service("b", "10.0.0.1", key="k"))).clashes
    assert _watch([_service("a", "10.0.0.1", key="k")], ("ADDED", _service("b", "10.0.0.1", key="other"))).clashes


@pytest.mark.parametrize("last", [("DELETED", _service("a", "10.0.0.1")), ("MODIFIED", _service("a"))])
def test_an_address_that_was_given_back_may_be_given_to_another(last: tuple[str, dict[str, Any]]) -> None:
    watch = _watch([_service("a", "10.0.0.1")], last, ("MODIFIED", _service("b", "10.0.0.1")))
    assert not watch.clashes
    assert watch.addresses == {"b": ("10.0.0.1",)}


def test_losses_are_of_services_that_still_exist() -> None:
    moved = ("MODIFIED", _service("a", "10.0.0.9"))
    watch = _watch(
        [_service("a", "10.0.0.1"), _service("b", "10.0.0.2")], moved, ("DELETED", _service("b", "10.0.0.2"))
    )
    assert watch.losses == {"a": ("10.0.0.1",)}
    assert not watch.wait(["a", "b"], 0)
    assert watch.wait(["c"], 0) == {"c"}
