# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests from the client of the lab at a steady rate, and which of them were lost."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import wire
from ansible_collections.homelab.lantern.plugins.module_utils._wire import gaps

RATE = 100
# An address that is handed over does not even cost the second after which TCP tries to connect again.
PATIENCE_SECONDS = 0.9
# A pod on a busy machine may be slow; that is not the way's fault.
ANSWER_SECONDS = 5.0


# A connection that is open while its address moves ends: the next node knows nothing of it. The browser asks again.
CUT_OFF = "cut off"
# While kube-proxy rewrites its rules by iptables' nf_tables variant, one packet in some thousands passes a node as it
# came (two in 73 rewrites at 100 requests a second, none without). The node asks the LAN for the address then.
_ASTRAY_SECONDS = 0.1


class Request(NamedTuple):
    """One request: when it was sent (monotonic seconds), how long it took, the answer; None: `error` says why."""

    sent: float
    seconds: float
    answer: dict[str, Any] | None
    error: str


class Series:
    """Requests to one port of an address while the body of a `with` runs; each has a connection or socket of its own.

    A TCP connection has `patience` seconds to come about, a datagram to be answered.

    The answers are those of `vips.SERVER`. After the body the last requests are waited for.
    """

    def __init__(
        self,
        address: str,
        *,
        protocol: str = "TCP",
        port: int = 80,
        rate: float = RATE,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.address = address
        self.late = 0.0
        """By how many seconds one was sent too late at most: a gap cannot be known more exactly."""
        self._ask = _ASK[protocol]
        self._what = f"{protocol} {address} port {port}"
        self._port = port
        self._interval = 1 / rate
        self._patience = patience
        self._requests: list[Request] = []
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"series {address}", daemon=True)

    def __enter__(self) -> Series:
        self._strays = wire.Capture(wire.ARP_TYPE, _is_host_s_question_for(self.address)).__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._strays.__exit__()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            wire.at_client(lambda: asyncio.run(self._series()))
        except BaseException as error:
            self._failure = error

    async def _series(self) -> None:
        pending: set[asyncio.Task[None]] = set()
        started, number = time.monotonic(), 0
        while not self._ended.is_set():
            task = asyncio.create_task(self._one())
            pending.add(task)
            task.add_done_callback(pending.discard)
            number += 1
            due = started + number * self._interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.late = max(self.late, time.monotonic() - due)
        if pending:
            await asyncio.wait(pending)
        # Connections that were closed last are taken apart by the loop's next steps.
        await asyncio.sleep(0.05)

    async def _one(self) -> None:
        self._requests.append(await _request(self._ask, self.address, self._port, self._patience))

    @property
    def requests(self) -> list[Request]:
        """Those that have ended so far, in the order they were sent."""
        return sorted(list(self._requests), key=lambda request: request.sent)

    def lost(self, since: float = 0.0, until: float = float("inf")) -> list[Request]:
        """Those in vain that were sent between two times (monotonic seconds): CUT_OFF ones were not."""
        astray = self._astray()
        missed = [one for one in self.requests if one.answer is None and one.error != CUT_OFF and one not in astray]
        return [one for one in missed if since <= one.sent <= until]

    def _astray(self) -> list[Request]:
        """Those that kube-proxy did not translate, though it did with the ones before and after."""
        asked, requests = [seen.at for seen in self._strays.frames], self.requests
        return [
            one
            for before, one, after in zip(requests, requests[1:], requests[2:], strict=False)
            if one.answer is None and before.answer is not None and after.answer is not None
            if any(0 <= at - one.sent <= _ASTRAY_SECONDS for at in asked)
        ]

    @property
    def gap(self) -> float:
        """Seconds of the longest time without an answered request; 0.0 when all were answered."""
        requests = self.requests
        rows = [gaps.Request(one.sent - requests[0].sent, one.answer is not None, one.seconds) for one in requests]
        return max((float(found["gap"]) / 1000 for found in gaps.find(rows, self._interval)), default=0.0)

    def answers(self, key: str, since: float = 0.0) -> set[str]:
        """What the answers say under `key` ("node", "client"), those to requests sent since a time."""
        return {str(one.answer[key]) for one in self.requests if one.answer is not None and one.sent >= since}

    def assert_none_lost(self, since: float = 0.0) -> None:
        """Every request was answered.

        Raises:
            AssertionError: with the number, when the first one was sent and what became of them.
        """
        lost, sent = self.lost(since), [one for one in self.requests if one.sent >= since]
        assert sent, f"{self._what}: no request was made"
        errors = sorted({one.error for one in lost})
        assert not lost, (
            f"{self._what}: {len(lost)} of {len(sent)} requests lost, the first {lost[0].sent - sent[0].sent:.2f} s "
            f"after the beginning, the longest gap {self.gap:.2f} s (sent up to {self.late:.2f} s late): {errors}"
        )

    def assert_gap_below(self, seconds: float) -> None:
        """There were answers before and after, and never `seconds` without one."""
        requests = self.requests
        assert requests and requests[0].answer is not None, f"{self._what}: no answer at the beginning"
        assert requests[-1].answer is not None, f"{self._what}: no answer at the end: {requests[-1].error}"
        assert self.gap < seconds + self.late, (
            f"{self._what}: {self.gap:.2f} s without an answer (limit {seconds:g} s, sent up to {self.late:.2f} s late)"
        )


def _is_host_s_question_for(address: str) -> Callable[[bytes], bool]:
    """Whether an ARP frame is a request for the address by a host that has one of its own: no probe, no announcement
    (RFC 5227). No frame is for an IPv6 address.
    """
    packed = ipaddress.ip_address(address).packed

    def check(raw: bytes) -> bool:
        sender = raw[28:32]
        return raw[20:22] == b"\0\1" and raw[38:42] == packed and sender not in (bytes(4), packed)

    return check


async def _request(ask: _Ask, address: str, port: int, patience: float) -> Request:
    sent = time.monotonic()
    try:
        answer, error = await ask(address, port, patience), ""
    except TimeoutError as timeout:
        answer, error = None, str(timeout) or "no answer"
    except _CutOffError:
        answer, error = None, CUT_OFF
    except (OSError, ValueError) as problem:
        answer, error = None, f"{type(problem).__name__}: {problem}"
    return Request(sent, time.monotonic() - sent, answer, error)


class _CutOffError(Exception):
    """A connection that had come about was reset."""


async def _ask_tcp(address: str, port: int, patience: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        raise TimeoutError("no connection") from None
    except ConnectionResetError as reset:
        # Nobody resets what has not come about (that would be a refusal): it had, a moment ago.
        raise _CutOffError from reset
    try:
        host = f"[{address}]" if ":" in address else address
        writer.write(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        async with asyncio.timeout(max(patience, ANSWER_SECONDS)):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    except ConnectionResetError as reset:
        raise _CutOffError from reset
    finally:
        writer.close()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ValueError(f"answered {head[:40]!r}")
    return _decoded(body)


class _Datagram(asyncio.DatagramProtocol):
    """One question's answer, or what came instead."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._settle(lambda: self.answer.set_result(data))

    def error_received(self, exc: Exception) -> None:
        self._settle(lambda: self.answer.set_exception(exc))

    def _settle(self, settle: Callable[[], None]) -> None:
        if not self.answer.done():
            settle()


async def _ask_udp(address: str, port: int, patience: float) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Datagram, remote_addr=(address, port))
    try:
        transport.sendto(b"who")
        async with asyncio.timeout(patience):
            return _decoded(await protocol.answer)
    finally:
        transport.close()


def _decoded(body: bytes) -> dict[str, Any]:
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise ValueError(f"answered {body[:40]!r}")
    return answer


_Ask = Callable[[str, int, float], Awaitable[dict[str, Any]]]
_ASK: dict[str, _Ask] = {"TCP": _ask_tcp, "UDP": _ask_udp}


def ask(address: str, *, protocol: str = "TCP", port: int = 80, seconds: float = 3.0) -> dict[str, Any]:
    """One request, repeated until it is answered; returns the answer.

    Raises:
        AssertionError: it is not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        request = wire.at_client(lambda: asyncio.run(_request(_ASK[protocol], address, port, PATIENCE_SECONDS)))
        if request.answer is not None:
            return request.answer
        assert time.monotonic() < deadline, f"{protocol} {address} port {port}: {request.error} for {seconds:g} s"
        time.sleep(0.1)
