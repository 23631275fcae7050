# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of every command, frozen. `lantern.arguments` reads them; nothing else looks at the environment."""

from __future__ import annotations

from dataclasses import dataclass

from lantern.l2.announcing import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What both processes need."""

    namespace: str
    """The namespace that holds IPAddressPools and L2Advertisements."""
    lb_class: str = ""
    """Serve Services of exactly this spec.loadBalancerClass; empty: only those without one."""
    log_level: str = "info"
    health_probe_port: int = 17472
    """Port of /healthz, /readyz and /metrics."""
    config_map: str = "config"
    """Name of the ConfigMap with the configuration of MetalLB before 0.13, which counts beside the objects."""
    pod_name: str = ""
    """The own pod, which owns the status objects that this process writes; empty outside a cluster."""
    pod_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings(Settings):
    """What only the controller needs."""

    health_probe_host: str | None = None
    """None: all addresses."""
    lease_duration: float = 3.0
    """Seconds after which a dead controller is replaced by another one."""
    lease_renew: float = 1.0
    """Seconds between renewals of the Lease."""
    lans: tuple[str, ...] = ()
    """CIDRs of the home's networks; pools that leave them get a warning."""
    router: str = ""
    """Address of the home's router; a pool that holds it gets a warning."""
    memory_size: int = 2000
    """For how many Services the address is remembered after they are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipSettings:
    """How speakers find each other; without a bind address they do not, and nodes are alive while they are Ready."""

    bind_address: str = ""
    """The node's own address, which the others reach it by."""
    bind_port: int = 7946
    secret_folder: str = ""
    """Where the Secret with the shared key is mounted."""
    label: str = ""
    """Speakers with another label, or none, are not listened to; empty: none, as MetalLB's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerSettings(Settings):
    """What only the speaker needs."""

    node_name: str
    gossip: GossipSettings = GossipSettings()
    ignore_exclude_lb: bool = False
    """Announce from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers too."""
    layer2: Options = Options()
    elect_by_hash: bool = False
    """Elect owners as MetalLB does even where all speakers are Lantern's."""
    hold_seconds: float = 60.0
    """A node that comes, or comes back, is given addresses of living owners only after this."""
    answer_ping: bool = True
    """Answer ICMP and ICMPv6 echo requests for announced addresses."""
    health_probe_host: str | None = "127.0.0.1"
    """The speaker shares the node's network: its port is not for the LAN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertSettings:
    """What `lantern convert` needs."""

    file: str = "-"
    """Where the old configuration is; "-": standard input."""
    namespace: str = ""
    """The namespace of the custom resources; empty: the ConfigMap's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersSettings:
    """What `lantern members` needs: where the speaker serves its state."""

    port: int = 17472


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSettings:
    """What `lantern explain service` needs."""

    service: tuple[str, str]
    """Namespace and name."""
    namespace: str
    lb_class: str = ""
    config_map: str = "config"
    ignore_exclude_lb: bool = False
    """As the speakers'."""
    port: int = 17472
    """Where a speaker on this host serves its state."""
