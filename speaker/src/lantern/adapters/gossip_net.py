# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a gossip node on the network: UDP and TCP on one port of one address.

The address it binds to is the one it tells the others. Everything the node learns goes to one callback.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from random import Random
from types import TracebackType

from lantern.adapters.machine_loop import MachineLoop
from lantern.gossip.config import GossipConfig
from lantern.gossip.effects import Effect, Event, OpenStream, SendDatagram, StreamClose, StreamSend
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.node import Node

# Room for a burst of datagrams while this process is busy; the kernel may grant less.
_RECEIVE_BUFFER_BYTES = 2 << 20


class GossipNet:
    """Use as an asynchronous context manager: the node runs inside it."""

    def __init__(self, config: GossipConfig, rng: Random, on_event: Callable[[Event], None]) -> None:
        """`rng` must be `random.SystemRandom()` where keys are used: nonces come from it."""
        self._config = config
        self._rng = rng
        self._on_event = on_event
        self._streams: dict[int, _Stream] = {}
        self._dialling: dict[int, asyncio.Task[None]] = {}

    async def __aenter__(self) -> GossipNet:
        """Bind and start. Raises OSError when the address is not this host's or the port is taken."""
        loop = asyncio.get_running_loop()
        where = self._config.endpoint
        family = socket.AF_INET6 if ipaddress.ip_address(where.host).version == 6 else socket.AF_INET
        self._server = await loop.create_server(
            lambda: _Stream(self, None), where.host, where.port, family=family, backlog=128, start_serving=False
        )
        try:
            self._datagrams, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(where.host, where.port), family=family
            )
        except OSError:
            self._server.close()
            raise
        self._datagrams.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self.node = Node(self._config, self._rng)
        self.loop: MachineLoop[Effect] = MachineLoop(self.node, self._deliver)
        self.node.start(now=self.loop.now)
        await self._server.start_serving()
        self.loop.pump()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop at once, without a goodbye; see `leave`."""
        self.loop.close()
        self._datagrams.close()
        self._server.close()
        dialling = list(self._dialling.values())
        for task in dialling:
            task.cancel()
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.transport.abort()
        await asyncio.gather(*dialling, return_exceptions=True)
        await self._server.wait_closed()

    def set_seeds(self, seeds: Iterable[Endpoint]) -> None:
        """Where to look for members that are missing."""
        self.node.set_seeds(seeds, now=self.loop.now)
        self.loop.pump()

    def set_keys(self, keys: Sequence[bytes]) -> None:
        """Exchange the keys while running; the first encrypts. Raises ValueError for one of a wrong size."""
        self.node.set_keys(keys)

    def set_meta(self, meta: bytes) -> None:
        """Let the members know another meta."""
        self.node.set_meta(meta, now=self.loop.now)
        self.loop.pump()

    def broadcast(self, key: str, data: bytes) -> None:
        """Spread an application message. Raises ValueError when it does not fit into a datagram."""
        self.node.broadcast(key, data, now=self.loop.now)
        self.loop.pump()

    def send(self, name: str, data: bytes) -> bool:
        """Send an application message to one member directly; see `Node.send`."""
        known = self.node.send(name, data)
        self.loop.pump()
        return known

    def accuse(self, name: str) -> None:
        """Suspect a member now."""
        self.node.accuse(name, now=self.loop.now)
        self.loop.pump()

    def ping(self, name: str, timeout_seconds: float) -> int | None:
        """Ping a member once; see `Node.ping`."""
        number = self.node.ping(name, timeout_seconds=timeout_seconds, now=self.loop.now)
        self.loop.pump()
        return number

    def leave(self) -> None:
        """Say goodbye; the event LeaveFinished tells when it is said."""
        self.node.leave(now=self.loop.now)
        self.loop.pump()

    def _deliver(self, effect: Effect) -> None:
        match effect:
            case SendDatagram(data, to):
                self._datagrams.sendto(data, to)
            case OpenStream(number, to, data):
                task = asyncio.get_running_loop().create_task(self._dial(number, to, data))
                self._dialling[number] = task
                task.add_done_callback(lambda _: self._dialling.pop(number, None))
            case StreamSend(number, data):
                if number in self._streams:
                    self._streams[number].transport.write(data)
            case StreamClose(number):
                if number in self._dialling:
                    self._dialling[number].cancel()
                stream = self._streams.pop(number, None)
                if stream is not None:
                    stream.finish()
            case _:
                self._on_event(effect)

    async def _dial(self, number: int, to: Endpoint, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        local = (self._config.endpoint.host, 0)
        try:
            transport, _ = await loop.create_connection(
                lambda: _Stream(self, number), to.host, to.port, local_addr=local
            )
        except OSError:
            self.node.stream_closed(number, now=self.loop.now)
            self.loop.pump()
            return
        transport.write(data)

    # Called by the protocols below.

    def datagram_received(self, data: bytes, source: Endpoint) -> None:
        self.node.receive_datagram(data, source, now=self.loop.now)
        self.loop.pump()

    def stream_opened(self, stream: _Stream, peer: Endpoint) -> None:
        """A connection is made; one that the node does not want is closed."""
        if stream.number is None:
            stream.number = self.node.accept_stream(peer, now=self.loop.now)
        if stream.number is None:
            stream.transport.abort()
        else:
            self._streams[stream.number] = stream
        self.loop.pump()

    def stream_received(self, number: int, data: bytes) -> None:
        if number in self._streams:
            self.node.receive_stream(number, data, now=self.loop.now)
            self.loop.pump()

    def stream_lost(self, number: int) -> None:
        if self._streams.pop(number, None) is not None:
            self.node.stream_closed(number, now=self.loop.now)
            self.loop.pump()

    @property
    def patience_seconds(self) -> float:
        """How long a peer may take to read its answer."""
        return self._config.timing.stream_timeout_seconds


class _Datagrams(asyncio.DatagramProtocol):
    """UDP. A failure to send is not looked at: silence is what the node watches for anyway."""

    def __init__(self, net: GossipNet) -> None:
        self._net = net

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._net.datagram_received(data, Endpoint(*addr[:2]))


class _Stream(asyncio.Protocol):
    """One TCP connection; `number` is None for one of a peer that the node has not numbered yet."""

    def __init__(self, net: GossipNet, number: int | None) -> None:
        self._net = net
        self.number = number

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._net.stream_opened(self, Endpoint(*transport.get_extra_info("peername")[:2]))

    def data_received(self, data: bytes) -> None:
        if self.number is not None:
            self._net.stream_received(self.number, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.number is not None:
            self._net.stream_lost(self.number)

    def finish(self) -> None:
        """Close once all is sent. A peer that does not read is not waited for forever."""
        self.transport.close()
        if self.transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(self._net.patience_seconds, self.transport.abort)
