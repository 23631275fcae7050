# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Prometheus series of both processes, declared on a registry that the composition root makes.

Names are MetalLB's, so that people's dashboards and alerts keep working; series of our own begin with "lantern_".
Three of MetalLB's counters lack the suffix that the Prometheus client gives every counter; to keep the exact name they
are declared as gauges that only ever grow, which queries such as rate() do not tell apart.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

# "_created" series double the number of series and no MetalLB dashboard knows them.
disable_created_metrics()  # type: ignore[no-untyped-call]


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
        self.refused = Gauge(
            "lantern_services_refused", "Services that do not get what they ask for.", ["reason"], registry=registry
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
            "metallb_layer2_requests_received", "ARP requests for announced addresses.", ["ip"], registry=registry
        )
        self.responses_sent = Gauge("metallb_layer2_responses_sent", "ARP replies sent.", ["ip"], registry=registry)
        self.gratuitous_sent = Gauge(
            "metallb_layer2_gratuitous_sent", "Gratuitous ARP frames sent.", ["ip"], registry=registry
        )
        self.dropped = Counter("lantern_l2_dropped", "ARP frames without an answer.", ["reason"], registry=registry)
        self.withheld = Gauge(
            "lantern_services_withheld", "Services that this node does not announce.", ["reason"], registry=registry
        )
