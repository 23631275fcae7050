# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a collection: nothing is lost, whatever happens to the connection or the history."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
from fakes.kube import FakeKube, raw
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.reflector import Follower, ObjectId, Store, follow, relist, take
from lantern.adapters.kube.wire import WatchLine

PATH = "/things"


class Thing(msgspec.Struct):
    size: int


def convert(found: msgspec.Raw) -> int:
    return msgspec.json.decode(found, type=Thing).size


def thing(name: str, size: object, version: int = 0) -> dict[str, object]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "size": size}


def store() -> Store[int]:
    return Store("things", PATH, convert)


def test_replace_adds_changes_and_removes() -> None:
    held = store()
    assert held.replace([raw(thing("a", 1)), raw(thing("b", 2))])
    assert held.is_synced and not store().is_synced
    assert held.replace([raw(thing("b", 3)), raw(thing("c", 4))])
    assert sorted(held.values()) == [3, 4]
    assert {key.name: value for key, value in held.items()} == {"b": 3, "c": 4}


def test_list_reads_only_what_has_another_version_unless_the_cluster_was_restored() -> None:
    read: list[int] = []

    def noting(found: msgspec.Raw) -> int:
        read.append(convert(found))
        return read[-1]

    held = Store("things", PATH, noting)
    held.replace([raw(thing("a", 1, 5)), raw(thing("b", 2, 6))], "6")
    assert held.replace([raw(thing("a", 1, 5)), raw(thing("b", 3, 7))], "7")
    assert not held.replace([raw(thing("a", 1, 5)), raw(thing("b", 3, 7))], "8")
    assert read == [1, 2, 3]
    assert held.replace([raw(thing("a", 9, 5))], "5")
    assert read == [1, 2, 3, 9] and held.objects == (9,)


def test_first_list_is_a_change_even_when_empty_and_an_equal_one_is_none() -> None:
    held = store()
    assert held.replace([])
    assert not held.replace([])


def test_upsert_and_remove_tell_whether_anything_changed() -> None:
    held = store()
    assert held.upsert(raw(thing("a", 1, 5)))
    assert not held.upsert(raw(thing("a", 1, 6)))
    assert held.upsert(raw(thing("a", 2, 7)))
    assert held.remove(raw(thing("a", 2, 8)))
    assert not held.remove(raw(thing("a", 2, 8)))


def test_objects_are_the_same_tuple_until_one_changes() -> None:
    held = store()
    held.replace([raw(thing("a", 1, 5)), raw(thing("b", "big", 5))])
    before = held.objects
    assert before == (1,) and held.objects is before
    for change in (
        lambda: held.upsert(raw(thing("b", 2, 6))),
        lambda: held.replace([raw(thing("b", 2, 7))], "7"),
        lambda: held.wrote(raw(thing("b", 3, 8))),
        lambda: held.remove(raw(thing("b", 3, 9))),
    ):
        change()
        assert held.objects == tuple(held.values()) and held.objects is not before
        before = held.objects
    assert before == ()


def test_own_write_is_not_undone_by_older_news() -> None:
    held = store()
    held.replace([raw(thing("a", 1, 5))])
    held.wrote(raw(thing("a", 2, 9)))
    assert list(held.values()) == [2]
    assert not held.upsert(raw(thing("a", 1, 8)))
    assert not held.replace([raw(thing("a", 1, 8))])
    assert list(held.values()) == [2]
    held.upsert(raw(thing("a", 2, 9)))
    assert held.upsert(raw(thing("a", 3, 10)))
    assert list(held.values()) == [3]


def test_own_write_to_an_object_deleted_meanwhile_does_not_revive_it() -> None:
    held = store()
    held.replace([raw(thing("a", 1, 5))])
    held.remove(raw(thing("a", 1, 6)))
    held.wrote(raw(thing("a", 2, 7)))
    assert list(held.values()) == []


def test_object_that_cannot_be_read_is_kept_as_a_problem() -> None:
    held = store()
    held.replace([raw(thing("a", 1)), raw(thing("b", "big"))])
    assert list(held.values()) == [1]
    (problem,) = held.unreadable()
    assert "things /b cannot be read" in problem.message
    held.upsert(raw(thing("b", 2)))
    assert held.unreadable() == []


def test_watch_lines() -> None:
    held, follower = store(), Follower(random.Random(1))
    follower.listed("5")
    assert take(held, follower, WatchLine("ADDED", raw(thing("a", 1, 6))))
    assert follower.resource_version == "6"
    assert not take(held, follower, WatchLine("BOOKMARK", raw({"metadata": {"resourceVersion": "90"}})))
    assert follower.resource_version == "90"
    assert take(held, follower, WatchLine("DELETED", raw(thing("a", 1, 91))))
    with pytest.raises(ApiError) as caught:
        take(held, follower, WatchLine("ERROR", raw({"code": 410, "message": "too old"})))
    assert caught.value.is_gone


@pytest.mark.parametrize(("code", "kept"), [(0, True), (401, True), (403, True), (429, True), (503, True)])
def test_outage_keeps_the_place_in_history(code: int, kept: bool) -> None:
    follower = Follower(random.Random(1))
    follower.listed("5")
    assert follower.failed(ApiError("x", code)) > 0
    assert (follower.resource_version == "5") is kept


@pytest.mark.parametrize("code", [400, 404, 500])
def test_other_refusals_list_again_after_a_pause(code: int) -> None:
    follower = Follower(random.Random(1))
    follower.listed("5")
    assert follower.failed(ApiError("x", code)) > 0
    assert follower.resource_version is None


def test_lost_history_lists_again_at_once() -> None:
    follower = Follower(random.Random(1))
    follower.listed("5")
    assert follower.failed(ApiError("x", 410)) == 0.0
    assert follower.resource_version is None


def test_pauses_grow_to_a_bound_and_begin_anew_after_success() -> None:
    follower = Follower(random.Random(1))
    pauses = [follower.failed(ApiError("x")) for _ in range(20)]
    assert pauses[0] <= 0.25 < max(pauses) <= 5.0
    assert min(pauses[10:]) >= 2.5
    follower.saw("6")
    assert follower.failed(ApiError("x")) <= 0.25


def test_watch_that_ends_at_once_is_not_repeated_in_a_tight_loop() -> None:
    follower = Follower(random.Random(1))
    assert follower.ended(120.0) == 0.0
    assert follower.ended(0.01) > 0.0


def followed(scenario: Callable[[FakeKube, Store[int], asyncio.Event], Awaitable[None]]) -> None:
    """Run a scenario while a store follows a fake API server."""

    async def main() -> None:
        kube, held, changed = FakeKube(), store(), asyncio.Event()
        task = asyncio.create_task(follow(kube, held, changed.set))
        try:
            async with asyncio.timeout(10):
                await scenario(kube, held, changed)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


def test_follow_sees_what_happens() -> None:
    async def scenario(kube: FakeKube, held: Store[int], changed: asyncio.Event) -> None:
        await changed.wait()
        kube.put(PATH, thing("a", 1))
        await until(lambda: list(held.values()) == [1])
        kube.put(PATH, thing("a", 2))
        await until(lambda: list(held.values()) == [2])
        kube.delete(PATH, "a")
        await until(lambda: list(held.values()) == [])

    followed(scenario)


@pytest.mark.parametrize("history_lost", [False, True])
def test_follow_misses_nothing_of_an_outage(history_lost: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.adapters.kube.reflector._FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("lantern.adapters.kube.reflector._LONGEST_PAUSE_SECONDS", 0.002)

    async def scenario(kube: FakeKube, held: Store[int], changed: asyncio.Event) -> None:
        kube.put(PATH, thing("a", 1))
        kube.put(PATH, thing("b", 2))
        await until(lambda: sorted(held.values()) == [1, 2])
        assert held.is_current
        kube.set_down(True)
        changed.clear()
        await changed.wait()
        assert not held.is_current, "whoever decides is told that this is old"
        kube.delete(PATH, "a")
        kube.put(PATH, thing("b", 3))
        kube.put(PATH, thing("c", 4))
        if history_lost:
            kube.forget_history()
        assert sorted(held.values()) == [1, 2]
        kube.set_down(False)
        await until(lambda: sorted(held.values()) == [3, 4])
        assert held.is_current

    followed(scenario)


def numbered(name: str, version: int, kind: str = "whole") -> msgspec.Raw:
    return raw({"metadata": {"name": name, "namespace": "n", "resourceVersion": str(version)}, "kind": kind})


def version_of(value: msgspec.Raw) -> str:
    found = msgspec.json.decode(value)
    assert found["kind"] == "whole"
    return str(found["metadata"]["resourceVersion"])


class SlowList:
    """A list that is read at version 100 while the watch goes on; `listed` are the requests."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None, extra: int = 0) -> None:
        self._meanwhile = meanwhile
        self._versions = {"kept": 50, "changed": 60, "deleted": 70} | {f"extra{n}": 80 for n in range(extra)}
        self.listed: list[str] = []

    async def list(self, path: str, only: str = "", metadata_only: bool = False) -> tuple[str, list[msgspec.Raw]]:
        self.listed.append(f"{path} {only or '*'}{' metadata' if metadata_only else ''}")
        self._meanwhile()
        found = {name: version for name, version in self._versions.items() if only in ("", name)}
        kind = "metadata" if metadata_only else "whole"
        return "100", [numbered(name, version, kind) for name, version in found.items()]

    def watch(self, path: str, resource_version: str, only: str = "") -> AsyncIterator[WatchLine | None]:
        raise AssertionError("the watch runs elsewhere")


def test_list_beside_a_watch_reads_whole_objects_only_where_the_version_is_another() -> None:
    store = Store("services", "/api/v1/services", version_of)
    store.replace([numbered("kept", 50), numbered("changed", 59), numbered("gone", 10)], "90")
    api = SlowList()
    assert asyncio.run(relist(api, store))
    assert {key.name: value for key, value in store.items()} == {"kept": "50", "changed": "60", "deleted": "70"}
    services = "/api/v1/namespaces/n/services"
    assert api.listed == ["/api/v1/services * metadata", f"{services} changed", f"{services} deleted"]
    assert not asyncio.run(relist(api, store)) and len(api.listed) == 4


def test_list_beside_a_watch_that_finds_much_new_reads_all_at_once() -> None:
    store = Store("services", "/api/v1/services", version_of)
    store.replace([numbered("kept", 50), numbered("gone", 10)], "90")
    api = SlowList(extra=21)
    assert asyncio.run(relist(api, store))
    assert api.listed == ["/api/v1/services * metadata", "/api/v1/services *"]
    assert len(list(store.values())) == 24 and ObjectId("n", "gone") not in dict(store.items())


def test_old_line_does_not_undo_what_was_read_since() -> None:
    store = Store("services", "/api/v1/services", version_of)
    store.replace([numbered("a", 50)], "90")
    store.upsert(numbered("a", 110))
    assert not store.upsert(numbered("a", 105)) and not store.remove(numbered("a", 108))
    assert list(store.values()) == ["110"]
    assert store.remove(numbered("a", 111)) and not list(store.values())


def test_list_read_beside_a_watch_undoes_nothing_that_the_watch_told_meanwhile() -> None:
    store = Store("services", "/api/v1/services", version_of)
    store.replace([numbered("kept", 50), numbered("changed", 60), numbered("deleted", 70)], "90")

    def meanwhile() -> None:
        store.upsert(numbered("new", 105))
        store.upsert(numbered("changed", 104))
        store.remove(numbered("deleted", 103))
        # Told late: the list knows of it already.
        store.upsert(numbered("gone-by-then", 95))

    asyncio.run(relist(SlowList(meanwhile), store))
    assert {key.name: value for key, value in store.items()} == {"kept": "50", "changed": "104", "new": "105"}
    # Nothing is kept for later: an old line stays history.
    assert not store.upsert(numbered("gone-by-then", 95))
