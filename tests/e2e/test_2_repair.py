# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever site.yml manages, somebody damages; the next run says so, mends it, and the one after has nothing to do.

Without this, `changed=0` in a second run would prove little.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from conftest import Home, Play

SYSTEM = "--namespace=metallb-system"
WHOLE_RANGE = "192.168.2.2,192.168.2.254,12h"
ARGUMENTS = "/spec/template/spec/containers/0/args"
DAMAGES = {
    "the router hands out the pool again": (
        "home-router",
        lambda home: home.on("router", f"sed -i 's/^dhcp-range=.*/dhcp-range={WHOLE_RANGE}/' /etc/dnsmasq.conf"),
    ),
    "a node's settings file is gone": ("node1", lambda home: home.on("node1", "rm /etc/sysctl.d/60-lantern.conf")),
    "a node does not forward": ("node2", lambda home: home.on("node2", "sysctl -w net.ipv4.ip_forward=0")),
    "a node lacks a package": ("node3", lambda home: home.on("node3", "dpkg --purge --force-depends conntrack")),
    "a node lost the image": (
        "node3",
        lambda home: home.on(
            "node3", "ctr -n k8s.io images ls -q | grep localhost/lantern | xargs ctr -n k8s.io images rm --sync"
        ),
    ),
    "the controller has other arguments": (
        "cluster",
        lambda home: home.kubectl(
            SYSTEM, "patch", "deployment", "controller", "--type=json",
            "--patch", f'[{{"op": "add", "path": "{ARGUMENTS}/-", "value": "--log-level=debug"}}]',
        ),
    ),
    "the speakers are gone": ("cluster", lambda home: home.kubectl(SYSTEM, "delete", "daemonset", "speaker")),
    "the pool was edited": (
        "cluster",
        lambda home: home.kubectl(
            SYSTEM, "patch", "ipaddresspool", "default", "--type=merge", "--patch", '{"spec":{"autoAssign":false}}'
        ),
    ),
    "nothing announces the pool": (
        "cluster",
        lambda home: home.kubectl(SYSTEM, "delete", "l2advertisements", "--all"),
    ),
    "the speakers may not read nodes": (
        "cluster",
        lambda home: home.kubectl("delete", "clusterrolebinding", "--selector=app.kubernetes.io/managed-by=lantern"),
    ),
    "the speakers' key is gone": ("cluster", lambda home: home.kubectl(SYSTEM, "delete", "secret", "memberlist")),
}  # fmt: skip


@pytest.fixture(scope="module")
def repaired(home: Home) -> Iterator[Play]:
    """All damages at once, then one run."""
    for _, damage in DAMAGES.values():
        damage(home)
    yield home.site()


def test_the_run_after_the_damage_succeeds(repaired: Play) -> None:
    assert repaired.returncode == 0, repaired.output


def test_it_reports_a_change_on_every_damaged_host(repaired: Play) -> None:
    damaged = {host for host, _ in DAMAGES.values()} - {"cluster"}
    assert damaged <= set(repaired.changed), repaired.output
    assert re.search(r"^changed: \[\S+ -> localhost\]", repaired.output, re.MULTILINE), "the cluster's objects"


def test_everything_is_as_it_was(home: Home, repaired: Play) -> None:
    assert "192.168.2.2,192.168.2.127" in home.on("router", "grep ^dhcp-range /etc/dnsmasq.conf")
    assert "192.168.2.254" not in home.on("router", "grep ^dhcp-range /etc/dnsmasq.conf")
    assert home.on("node1", "cat /etc/sysctl.d/60-lantern.conf")
    assert home.on("node2", "sysctl -n net.ipv4.ip_forward") == "1\n"
    assert "ii" in home.on("node3", "dpkg -l conntrack")
    assert "localhost/lantern" in home.on("node3", "ctr -n k8s.io images ls -q")
    controller = home.get(SYSTEM, "deployment", "controller")
    assert "--log-level=debug" not in controller["spec"]["template"]["spec"]["containers"][0]["args"]
    assert home.get(SYSTEM, "daemonset", "speaker")["status"]["numberReady"] == 3
    assert home.get(SYSTEM, "ipaddresspool", "default")["spec"].get("autoAssign", True) is True
    assert len(home.get(SYSTEM, "l2advertisements")["items"]) == 1
    assert home.get("clusterrolebinding", "--selector=app.kubernetes.io/managed-by=lantern")["items"]
    assert home.get(SYSTEM, "secret", "memberlist")["data"]["secretkey"]


def test_the_service_kept_its_address_and_answers(home: Home, repaired: Play) -> None:
    assert home.service_address() == "192.168.2.128"
    assert "The lantern is lit." in home.curl("192.168.2.128")


def test_the_run_after_that_changes_nothing(home: Home, repaired: Play) -> None:
    again = home.site()
    assert again.returncode == 0, again.output
    assert again.changed == {}, {host: again.task_changed(host) for host in again.changed}


def test_a_stopped_dhcp_server_is_started_again(home: Home) -> None:
    home.on("router", "systemctl stop dnsmasq")
    run = home.site("--tags=reserve")
    assert run.returncode == 0, run.output
    assert set(run.changed) == {"home-router"}
    assert home.on("router", "systemctl is-active dnsmasq") == "active\n"
