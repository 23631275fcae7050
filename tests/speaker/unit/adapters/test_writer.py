# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written to the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from fakes.kube import FakeKube
from fakes.records import service
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.writer import EventRecorder, event_body, event_target, status_patch


def test_address_and_pool_are_one_patch_on_the_version_decided_on() -> None:
    one = replace(service("web"), resource_version="7")
    assert status_patch(one, (ip_address("1.2.3.4"), ip_address("fd00::1")), "home") == {
        "metadata": {"resourceVersion": "7", "annotations": {"metallb.io/ip-allocated-from-pool": "home"}},
        "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"ip": "fd00::1"}]}},
    }


def test_release_takes_both_away() -> None:
    patch = status_patch(service("web", "1.2.3.4", pool="home"), (), None)
    assert patch["metadata"]["annotations"] == {"metallb.io/ip-allocated-from-pool": None}
    assert patch["status"] == {"loadBalancer": {"ingress": None}}


def test_annotation_under_the_old_prefix_is_removed() -> None:
    old = service("web", annotations={"metallb.universe.tf/ip-allocated-from-pool": "x"})
    assert status_patch(old, (ip_address("1.2.3.4"),), "home")["metadata"]["annotations"] == {
        "metallb.io/ip-allocated-from-pool": "home",
        "metallb.universe.tf/ip-allocated-from-pool": None,
    }


def test_event() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    body = event_body(
        event_target(service("web")), "metallb-speaker", "node1", "Normal", "nodeAssigned", "announcing", moment
    )
    assert body["involvedObject"]["kind"] == "Service" and body["involvedObject"]["uid"] == "uid-web"
    assert body["metadata"]["namespace"] == "default" and body["metadata"]["name"].startswith("web.")
    assert body["source"] == {"component": "metallb-speaker", "host": "node1"}
    assert (body["type"], body["reason"], body["message"]) == ("Normal", "nodeAssigned", "announcing")
    assert body["firstTimestamp"] == body["lastTimestamp"] == "2026-01-02T03:04:05Z"


class Unsteady:
    """An API that fails with the given codes first."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.created: list[Mapping[str, Any]] = []

    async def create(self, path: str, body: Mapping[str, Any]) -> None:
        if self.codes:
            raise ApiError("no", self.codes.pop(0))
        self.created.append(body)

    async def patch(self, path: str, body: Mapping[str, Any], seconds: float | None = None) -> Any:
        raise AssertionError("no status is written here")


@pytest.mark.parametrize(
    ("codes", "written"), [((), 2), ((0, 0), 2), ((429, 500, 504), 2), ((403,), 1), ((0, 0, 0, 0), 1)]
)
def test_events_survive_an_outage_and_are_given_up_when_refused(
    codes: tuple[int, ...], written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_pause(_seconds: float) -> None:
        return

    async def main() -> int:
        api = Unsteady(*codes)
        recorder = EventRecorder(api, "metallb-controller")
        recorder.record(service("a"), "Normal", "IPAllocated", "one")
        recorder.record(service("b"), "Normal", "IPAllocated", "two")
        with monkeypatch.context() as patched:
            patched.setattr("lantern.adapters.kube.writer.asyncio.sleep", no_pause)
            task = asyncio.create_task(recorder.run())
            while not recorder._queue.empty() or not api.created:
                await asyncio.wait([task], timeout=0.001)
            task.cancel()
        return len(api.created)

    assert asyncio.run(main()) == written


def test_too_many_waiting_events_are_dropped_not_piled_up() -> None:
    async def main() -> None:
        recorder = EventRecorder(Unsteady(), "metallb-controller")
        for _ in range(10_005):
            recorder.record(service("a"), "Normal", "IPAllocated", "x")
        assert recorder._queue.qsize() == 10_000

    asyncio.run(main())


def told(*scenes: Callable[[EventRecorder], None], lost_answers: int = 0) -> list[str]:
    """Messages of the Events that are there after each scene was played by a process of its own."""

    class Kube(FakeKube):
        async def create(self, path: str, body: Mapping[str, Any]) -> Any:
            nonlocal lost_answers
            answer = await super().create(path, body)
            if lost_answers:
                lost_answers -= 1
                raise ApiError("no answer", 0, retry_after=0.001)
            return answer

    async def main() -> list[str]:
        kube = Kube()
        for scene in scenes:
            recorder = EventRecorder(kube, "metallb-controller")
            scene(recorder)
            recorder.record(service("last"), "Normal", "End", "end", unless_told=True)
            task = asyncio.create_task(recorder.run())
            written = len(kube.requests)
            async with asyncio.timeout(5):
                while not recorder._queue.empty() or len(kube.requests) == written:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.02)
            task.cancel()
        return [event["message"] for event in kube.events if event["message"] != "end"]

    return asyncio.run(main())


def refusal(message: str, unless_told: bool) -> Callable[[EventRecorder], None]:
    return lambda recorder: recorder.record(
        service("web"), "Warning", "AllocationFailed", message, unless_told=unless_told
    )


def test_what_another_process_has_told_is_not_told_again() -> None:
    assert told(refusal("full", False), refusal("full", True), refusal("empty", True)) == ["full", "empty"]


def test_what_happens_again_is_told_again() -> None:
    assert told(refusal("full", False), refusal("full", False)) == ["full", "full"]


def test_event_whose_answer_was_lost_is_there_once() -> None:
    assert told(refusal("full", False), lost_answers=1) == ["full"]


def test_event_to_be_told_before_it_happens_is_queued_when_that_fails() -> None:
    async def main() -> None:
        api = Unsteady(0)
        recorder = EventRecorder(api, "metallb-controller")
        await recorder.write_now(service("a"), "Normal", "ClearAssignment", "x")
        assert not api.created
        task = asyncio.create_task(recorder.run())
        async with asyncio.timeout(5):
            while not api.created:
                await asyncio.sleep(0.005)
        task.cancel()
        assert [body["reason"] for body in api.created] == ["ClearAssignment"]

    asyncio.run(main())
