# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one gossip node is told once: who it is, how patient it is, how much it takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from lantern.gossip.endpoint import Endpoint, endpoint, reachable

DEFAULT_PORT = 7946
MAX_META_BYTES = 512
MAX_LABEL_BYTES = 255
MAX_NAME_BYTES = 255

# (least, greatest, current) version of memberlist's protocol that Lantern understands and speaks.
PROTOCOL_VERSIONS = (1, 5, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Durations and counts; the defaults are memberlist's for a LAN, where not said otherwise."""

    probe_interval_seconds: float = 1.0
    probe_timeout_seconds: float = 0.5
    indirect_checks: int = 3
    stream_pings: bool = True
    """Ping over TCP too when UDP got no answer."""
    awareness_max: int = 8
    """A node in doubt about itself probes up to this many times slower."""
    suspicion_multiplier: int = 4
    suspicion_max_multiplier: int = 6
    gossip_interval_seconds: float = 0.2
    gossip_nodes: int = 3
    gossip_to_dead_seconds: float = 30.0
    """So long a dead node is still told that it is thought dead; then it is forgotten."""
    retransmit_multiplier: int = 4
    push_pull_interval_seconds: float = 30.0
    stream_timeout_seconds: float = 10.0
    reclaim_seconds: float = 0.0
    """After this a name whose node died may come back with another address; 0: not before it is forgotten."""

    # Beyond memberlist, which never looks again for a node it has forgotten.
    join_interval_seconds: float = 1.0
    """Between attempts to find anybody while alone."""
    rejoin_interval_seconds: float = 10.0
    """Between attempts to find those who are missing while others are present."""
    join_timeout_seconds: float = 3.0
    rejoin_nodes: int = 3
    """Attempts at a time."""
    remember_seconds: float = 86400.0
    """So long a node that died is looked for."""
    stall_seconds: float = 0.5
    """A timer that is later than this means that this node did not run; see `timers.Clock`."""


LAN = Timing()
WAN = Timing(
    probe_interval_seconds=5.0,
    probe_timeout_seconds=3.0,
    suspicion_multiplier=6,
    gossip_interval_seconds=0.5,
    gossip_nodes=4,
    gossip_to_dead_seconds=60.0,
    push_pull_interval_seconds=60.0,
    stream_timeout_seconds=30.0,
    join_timeout_seconds=10.0,
)
"""memberlist's values for links with much delay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a peer may cost. memberlist's own limits are larger in the number of members (1 Mi)."""

    datagram_bytes: int = 1400
    """Sent at most in one datagram, all layers included."""
    datagram_plain_bytes: int = 65536
    """Taken at most from one received datagram after decompression."""
    stream_bytes: int = 20 << 20
    """Taken at most from one stream, and of user state or one user message in it."""
    stream_plain_bytes: int = 40 << 20
    """Taken at most from one stream after decompression."""
    streams_total_bytes: int = 32 << 20
    """Buffered at most for all incoming streams together."""
    members: int = 8192
    streams: int = 128
    relays: int = 1024
    """Indirect pings under way for others."""
    broadcasts: int = 1024
    """Application messages queued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """How messages are sealed. Keys are 16, 24 or 32 bytes (AES-128, -192, -256); the first encrypts, all decrypt."""

    keys: tuple[bytes, ...] = field(default=(), repr=False)
    label: bytes = b""
    """Cluster label that every packet must carry; up to 255 bytes, empty for none."""
    require_encryption: bool = True
    """With keys: refuse plaintext. Off only while a cluster moves from plaintext to encryption."""
    encrypt: bool = True
    """With keys: encrypt what is sent. Off only while a cluster moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipConfig:
    """Raises ValueError at once for values no cluster would take."""

    name: str
    """Unique in the cluster; MetalLB's speakers use the Kubernetes node's name."""
    address: bytes
    """Where others reach this node: 4 bytes, or 16 for IPv6. Peers compare it byte by byte."""
    port: int = DEFAULT_PORT
    meta: bytes = b""
    """Opaque to the protocol, known to all members; up to 512 bytes."""
    delegate_versions: tuple[int, int, int] = (0, 0, 0)
    """(least, greatest, current) of what runs on top. MetalLB and alertmanager: 0, 0, 0; serf: 2, 5, 4."""
    capability: bytes | None = None
    """Beginning of the meta of members that understand our user messages and user state.

    Both are sent only while all members present have it, so that programs that parse them as something of their own
    are not disturbed. None: send regardless.
    """
    compress: bool = False
    """LZW on what is sent. Peers take both; plain is cheaper here, and states of a home are small."""
    timing: Timing = LAN
    limits: Limits = Limits()
    security: Security = Security()

    def __post_init__(self) -> None:
        if not 0 < len(self.name.encode()) <= MAX_NAME_BYTES:
            raise ValueError(f"gossip name {self.name!r}: give 1 to {MAX_NAME_BYTES} bytes")
        if not reachable(self.address):
            raise ValueError(f"gossip address {self.address.hex()}: give the 4 or 16 bytes of one host's address")
        if not 0 < self.port < 65536:
            raise ValueError(f"gossip port {self.port}: give 1 to 65535")
        if len(self.meta) > MAX_META_BYTES:
            raise ValueError(f"gossip meta has {len(self.meta)} bytes: give at most {MAX_META_BYTES}")
        if len(self.security.label) > MAX_LABEL_BYTES:
            raise ValueError(f"gossip label has {len(self.security.label)} bytes: give at most {MAX_LABEL_BYTES}")

    @property
    def endpoint(self) -> Endpoint:
        return endpoint(self.address, self.port)

    @property
    def versions(self) -> bytes:
        """The six version bytes of this node's own alive message."""
        return bytes((*PROTOCOL_VERSIONS, *self.delegate_versions))
