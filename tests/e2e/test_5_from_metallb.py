# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home that has MetalLB, installed by its own manifests, and puts Lantern in its place while people use it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from conftest import PROJECT, Home
from visitors import asking

REPLACE = ("--extra-vars", "lantern_replace_metallb=true")
SERVICES = ("web", "shop", "wiki", "mail")
POOLS = [
    {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": {"name": "mine", "namespace": "metallb-system"}}
    for kind in ("IPAddressPool", "L2Advertisement")
]
# MetalLB's part of the benchmark builds it, and has its images and manifests.
INSTALL = "from benchmarks import contenders, lab; lab.use({name!r}); contenders.METALLB.{step}()"
LONGEST_SECONDS = 1.5

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def metallb() -> Iterator[Home]:
    home = Home("e2e-metallb")
    _benchmark(home, "prepare")
    home.begin("--nodes=3")
    _benchmark(home, "deploy")
    home.kubectl("--namespace=metallb-system", "delete", "ipaddresspools,l2advertisements", "--all")
    POOLS[0]["spec"] = {"addresses": ["192.168.2.120-192.168.2.127"]}
    services = [_service(name) for name in SERVICES]
    home.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all([*POOLS, *services]))
    deadline = time.monotonic() + 60
    while not all(_addresses(home).values()) or not all(map(home.curl, _addresses(home).values())):
        assert time.monotonic() < deadline, "MetalLB serves"
        time.sleep(1)
    yield home
    home.lab("down")


def _benchmark(home: Home, step: str) -> None:
    program = INSTALL.format(name=home.name, step=step)
    done = home.run(f"{PROJECT}/tests/env", "python", "-c", program, PYTHONPATH=f"{PROJECT}/tests/bench")
    assert done.returncode == 0, done.stdout + done.stderr


def _service(name: str) -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "demo"}, "spec": spec}


def _addresses(home: Home) -> dict[str, str]:
    return {name: home.service_address(name) for name in SERVICES}


def _images(home: Home) -> set[str]:
    pods = home.get("--namespace=metallb-system", "pods")["items"]
    return {pod["spec"]["containers"][0]["image"].partition(":")[0] for pod in pods}


def test_it_is_refused_unless_asked_for(metallb: Home) -> None:
    run = metallb.site()
    text = " ".join(run.output.split())
    assert run.returncode != 0 and "MetalLB already serves LoadBalancer Services here" in text
    assert "lantern_replace_metallb: true" in text
    assert _images(metallb) == {"localhost/metallb-controller", "localhost/metallb-speaker"}


def test_a_pool_that_overlaps_its_pools_is_refused_before_anything_is_changed(metallb: Home) -> None:
    overlapping = {
        "lantern_replace_metallb": True,
        "lantern_pools": [{"name": "a", "addresses": ["192.168.2.127-192.168.2.130"]}],
    }
    run = metallb.site("--extra-vars", json.dumps(overlapping))
    assert run.returncode != 0 and 'overlaps pool "mine" (192.168.2.120-192.168.2.127)' in " ".join(run.output.split())
    assert _images(metallb) == {"localhost/metallb-controller", "localhost/metallb-speaker"}


def test_check_mode_tells_what_would_go(metallb: Home) -> None:
    run = metallb.site(*REPLACE, "--tags=deploy", "--check", "--diff")
    assert run.returncode == 0, run.output
    assert "DaemonSet metallb-system/speaker" in run.output
    assert "ValidatingWebhookConfiguration metallb-webhook-configuration" in run.output
    assert _images(metallb) == {"localhost/metallb-controller", "localhost/metallb-speaker"}


def test_it_takes_metallb_s_place_while_the_pages_are_used(metallb: Home) -> None:
    before = _addresses(metallb)
    with asking(metallb, list(before.values())) as pages:
        run = metallb.site(*REPLACE)
    assert run.returncode == 0, run.output
    assert _images(metallb) == {"localhost/lantern"}
    assert _addresses(metallb) == before
    for address, page in pages.items():
        assert page["asked"] > 100 and page["failed"] <= 2 and page["longest"] < LONGEST_SECONDS, (address, page)
    pools = metallb.get("--namespace=metallb-system", "ipaddresspools")["items"]
    assert {pool["metadata"]["name"] for pool in pools} == {"mine", "default"}


def test_afterwards_pools_are_written_and_a_second_run_changes_nothing(metallb: Home) -> None:
    again = metallb.site(*REPLACE)
    assert again.returncode == 0 and again.changed == {}, again.output
    metallb.kubectl("--namespace=metallb-system", "delete", "ipaddresspool", "mine")
    deadline = time.monotonic() + 30
    while any(
        address.startswith("192.168.2.12") and address < "192.168.2.128" for address in _addresses(metallb).values()
    ):
        assert time.monotonic() < deadline, "Services go to the pool that is left"
        time.sleep(0.5)
    assert "The lantern is lit." in metallb.curl(metallb.service_address("shop"))
