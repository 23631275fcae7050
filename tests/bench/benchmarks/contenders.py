# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is measured: each is put into the running lab the way its own users do it."""

from __future__ import annotations

import ipaddress
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from homelab import demo
from homelab.shell import LabError, stage

from . import lab, metallb, play

# Webhooks answer only some seconds after their pod is Ready.
WEBHOOK_SECONDS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A load balancer. `prepare` builds what takes long and needs no lab, `deploy` puts it into the running lab."""

    name: str
    title: str
    version: Callable[[], str]
    prepare: Callable[[], None]
    deploy: Callable[[], None]
    lease: str = ""
    """The Lease of its leader; empty when it has no election."""


def pool_range() -> str:
    """The upper half of the lab's LAN, as in the inventory of the lab."""
    return str(list(ipaddress.ip_network(lab.LAN).subnets(prefixlen_diff=1))[1])


def _lantern_version() -> str:
    commit = ["git", "-C", str(lab.PROJECT), "describe", "--always", "--dirty"]
    described = subprocess.run(commit, capture_output=True, text=True).stdout.strip()
    text = (lab.PROJECT / "speaker/src/lantern/__init__.py").read_text()
    version = re.search(r'__version__ = "(.+)"', text)
    assert version is not None, "the package says its version"
    return f"{version[1]} ({described})" if described else version[1]


def _deploy_lantern() -> None:
    demo.fetch()
    with stage("ansible-playbook playbooks/site.yml"):
        play.site()


def _build_metallb() -> None:
    metallb.image_archives()


def _deploy_metallb() -> None:
    with stage("MetalLB's images into the nodes"):
        lab.run("image", "load", *map(str, metallb.image_archives()))
    with stage("kubectl apply of MetalLB's manifests"):
        lab.kubectl("apply", "--server-side", "--filename=-", stdin=metallb.manifests())
        for workload in ("deployment/controller", "daemonset/speaker"):
            lab.kubectl("--namespace=metallb-system", "rollout", "status", workload, "--timeout=120s")
        _apply_pool()


def _apply_pool() -> None:
    """Again and again, until MetalLB's webhook answers."""
    deadline = time.monotonic() + WEBHOOK_SECONDS
    while True:
        try:
            lab.kubectl("apply", "--filename=-", stdin=metallb.pool([pool_range()]))
            return
        except LabError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _nothing() -> None:
    pass


LANTERN = Contender(
    name="lantern",
    title="Lantern",
    version=_lantern_version,
    prepare=_nothing,
    deploy=_deploy_lantern,
    lease="lantern-controller",
)
METALLB = Contender(
    name="metallb",
    title="MetalLB",
    version=lambda: metallb.VERSION,
    prepare=_build_metallb,
    deploy=_deploy_metallb,
)
NOBODY = Contender(
    name="nobody",
    title="no load balancer",
    version=lambda: "",
    prepare=_nothing,
    deploy=_nothing,
)
CONTENDERS = {contender.name: contender for contender in (LANTERN, METALLB, NOBODY)}
