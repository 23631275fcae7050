# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the series: people's dashboards and alerts depend on them."""

from __future__ import annotations

from lantern.metrics import ControllerMetrics, SpeakerMetrics
from prometheus_client import CollectorRegistry, generate_latest


def names(registry: CollectorRegistry) -> set[str]:
    lines = generate_latest(registry).decode().splitlines()
    return {line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#")}


def histogram(name: str) -> set[str]:
    return {f"{name}_{part}" for part in ("bucket", "count", "sum")}


CLIENT = {
    "metallb_k8s_client_updates_total",
    "metallb_k8s_client_update_errors_total",
    "metallb_k8s_client_config_loaded_bool",
    "metallb_k8s_client_config_stale_bool",
}


def test_controller() -> None:
    registry = CollectorRegistry()
    metrics = ControllerMetrics(registry)
    for gauge in (*metrics.total.values(), *metrics.in_use.values(), metrics.allocated):
        gauge.labels(pool="p").set(1)
    metrics.refused.labels(reason="r").set(1)
    metrics.noted.labels(reason="r").set(1)
    metrics.lost.labels(reason="r").inc()
    metrics.pool_warnings.labels(pool="p", code="c").set(1)
    metrics.writes.labels(outcome="written").inc()
    assert names(registry) == CLIENT | {
        "metallb_allocator_addresses_total",
        "metallb_allocator_ipv4_addresses_total",
        "metallb_allocator_ipv6_addresses_total",
        "metallb_allocator_addresses_in_use_total",
        "metallb_allocator_ipv4_addresses_in_use_total",
        "metallb_allocator_ipv6_addresses_in_use_total",
        "metallb_allocator_services_allocated_total",
        "lantern_services_refused",
        "lantern_services_noted",
        "lantern_addresses_lost_total",
        "lantern_pool_warnings",
        "lantern_leader",
        "lantern_status_writes_total",
        *histogram("lantern_plan_seconds"),
        *histogram("lantern_queue_seconds"),
    }


def test_speaker() -> None:
    registry = CollectorRegistry()
    metrics = SpeakerMetrics(registry)
    metrics.announced.labels(service="s", protocol="layer2", node="n", ip="i").set(1)
    for gauge in (metrics.requests_received, metrics.responses_sent, metrics.gratuitous_sent):
        gauge.labels(ip="i").inc()
    metrics.dropped.labels(protocol="arp", reason="r").inc()
    metrics.pings_answered.labels(ip="i").inc()
    metrics.conflicts.labels(ip="i").inc()
    metrics.withheld.labels(reason="r").set(1)
    metrics.takeovers.labels(cause="c").inc()
    metrics.speakers_lost.labels(cause="c").inc()
    metrics.held_back.labels(witness="w").inc()
    assert names(registry) == CLIENT | {
        "metallb_speaker_announced",
        "metallb_layer2_requests_received",
        "metallb_layer2_responses_sent",
        "metallb_layer2_gratuitous_sent",
        "lantern_l2_dropped_total",
        "lantern_l2_pings_answered",
        "lantern_l2_conflicts_total",
        "lantern_l2_probes_sent_total",
        "lantern_l2_in_use_elsewhere",
        "lantern_services_withheld",
        "lantern_takeovers_total",
        *histogram("lantern_takeover_seconds"),
        "lantern_speakers_lost_total",
        "lantern_failovers_held_back_total",
    }
