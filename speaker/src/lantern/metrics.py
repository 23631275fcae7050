# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Prometheus series of both processes, declared on a registry that the composition root makes.

Names are MetalLB's, so that people's dashboards and alerts keep working; series of our own begin with "lantern_".
Three of MetalLB's counters lack the suffix that the Prometheus client gives every counter; to keep the exact name they
are declared as gauges that only ever grow, which queries such as rate() do not tell apart.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# "_created" series double the number of series and no MetalLB dashboard knows them.
disable_created_metrics()  # type: ignore[no-untyped-call]


_PLAN_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_TAKEOVER_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
_QUEUE_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class ClientMetrics:
    """What both processes tell about their dealings with the API server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.updates = Counter("metallb_k8s_client_updates", "Kubernetes object updates processed.", registry=registry)
        self.update_errors = Counter(
            "metallb_k8s_client_update_errors", "Passes that failed and were retried.", registry=registry
        )
        self.config_loaded = Gauge(
            "metallb_k8s_client_config_loaded_bool", "1 once a valid configuration was loaded.", registry=registry
        )
        self.config_stale = Gauge(
            "metallb_k8s_client_config_stale_bool",
            "1 while the newest configuration is invalid and an older one is in force.",
            registry=registry,
        )


class ControllerMetrics(ClientMetrics):
    """The controller's series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.total = _by_family(registry, "total", "in the pool")
        """By IP version; 0: both."""
        self.in_use = _by_family(registry, "in_use_total", "in use")
        self.allocated = Gauge(
            "metallb_allocator_services_allocated_total",
            "Services that have addresses of the pool.",
            ["pool"],
            registry=registry,
        )
        self.refused = Gauge(
            "lantern_services_refused", "Services that do not get what they ask for.", ["reason"], registry=registry
        )
        self.noted = Gauge(
            "lantern_services_noted", "Services whose owner should know something.", ["reason"], registry=registry
        )
        self.lost = Counter(
            "lantern_addresses_lost", "Services that have lost an address, by why.", ["reason"], registry=registry
        )
        self.pool_warnings = Gauge(
            "lantern_pool_warnings",
            "Things about a pool that are probably not meant.",
            ["pool", "code"],
            registry=registry,
        )
        self.leader = Gauge(
            "lantern_leader", "1 while this controller is the one that hands out addresses.", registry=registry
        )
        self.plan_seconds = Histogram(
            "lantern_plan_seconds", "Time to decide about all Services.", buckets=_PLAN_BUCKETS, registry=registry
        )
        self.queue_seconds = Histogram(
            "lantern_queue_seconds",
            "Time from seeing that a Service needs an address to having written it.",
            buckets=_QUEUE_BUCKETS,
            registry=registry,
        )
        self.writes = Counter(
            "lantern_status_writes", "Writes of Services' addresses, by outcome.", ["outcome"], registry=registry
        )


def _by_family(registry: CollectorRegistry, suffix: str, text: str) -> dict[int, Gauge]:
    names = {0: ("", "Addresses"), 4: ("ipv4_", "IPv4 addresses"), 6: ("ipv6_", "IPv6 addresses")}
    return {
        family: Gauge(f"metallb_allocator_{infix}addresses_{suffix}", f"{what} {text}.", ["pool"], registry=registry)
        for family, (infix, what) in names.items()
    }


class SpeakerMetrics(ClientMetrics):
    """The speaker's series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.announced = Gauge(
            "metallb_speaker_announced",
            "1 for each address that this node announces.",
            ["service", "protocol", "node", "ip"],
            registry=registry,
        )
        self.requests_received = Gauge(
            "metallb_layer2_requests_received",
            "ARP and NDP requests for announced addresses.",
            ["ip"],
            registry=registry,
        )
        self.responses_sent = Gauge(
            "metallb_layer2_responses_sent", "ARP and NDP replies sent.", ["ip"], registry=registry
        )
        self.gratuitous_sent = Gauge(
            "metallb_layer2_gratuitous_sent", "ARP and NDP frames sent unasked.", ["ip"], registry=registry
        )
        self.dropped = Counter(
            "lantern_l2_dropped",
            "ARP (arp), NDP (ndp) and ping (echo, echo6) frames without an answer.",
            ["protocol", "reason"],
            registry=registry,
        )
        self.pings_answered = Gauge(
            "lantern_l2_pings_answered", "ICMP and ICMPv6 echo replies sent.", ["ip"], registry=registry
        )
        self.conflicts = Counter(
            "lantern_l2_conflicts",
            "Strangers seen to use an address that this node announces.",
            ["ip"],
            registry=registry,
        )
        self.probes_sent = Counter(
            "lantern_l2_probes_sent", "ARP and NDP probes for who else has an address.", registry=registry
        )
        self.in_use_elsewhere = Gauge(
            "lantern_l2_in_use_elsewhere",
            "Addresses that this node does not announce because a stranger has them.",
            registry=registry,
        )
        self.gossip_members = Gauge(
            "lantern_gossip_members", "Speakers that this one knows, by their state.", ["state"], registry=registry
        )
        self.gossip_dropped = Counter(
            "lantern_gossip_dropped", "Messages of other speakers that were not taken.", ["reason"], registry=registry
        )
        self.takeovers = Counter(
            "lantern_takeovers",
            "Addresses that this node has taken over, by why: how the death of their owner was found, or handover.",
            ["cause"],
            registry=registry,
        )
        self.takeover_seconds = Histogram(
            "lantern_takeover_seconds",
            "Time from when a dead owner was last heard of to when this node followed it.",
            buckets=_TAKEOVER_BUCKETS,
            registry=registry,
        )
        self.speakers_lost = Counter(
            "lantern_speakers_lost", "Speakers held for dead, by who said so first.", ["cause"], registry=registry
        )
        self.held_back = Counter(
            "lantern_failovers_held_back",
            "Silent speakers that were not followed, by who said that they live.",
            ["witness"],
            registry=registry,
        )
        self.withheld = Gauge(
            "lantern_services_withheld", "Services that this node does not announce.", ["reason"], registry=registry
        )
