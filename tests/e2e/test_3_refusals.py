# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work ends the play with one message that a person can act on; nothing is changed, a repair goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Home, Play


def message(play: Play) -> str:
    """What the play says where it failed, with YAML's folding undone."""
    assert play.returncode != 0, play.output
    return " ".join(play.output.split())


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        ([{"name": "default", "addresses": ["192.168.2.0/24"]}], ["default", "192.168.2.0/24", "node1", "router"]),
        ([{"name": "back", "addresses": ["192.168.2.200-192.168.2.150"]}], ["back", "192.168.2.200-192.168.2.150"]),
        ([{"name": "bare", "addresses": ["192.168.2.200"]}], ["bare", "192.168.2.200"]),
        (
            [
                {"name": "one", "addresses": ["192.168.2.128/26"]},
                {"name": "two", "addresses": ["192.168.2.160-192.168.2.170"]},
            ],
            ["one", "two", "192.168.2.160"],
        ),
    ],
)  # fmt: skip
def test_a_pool_that_cannot_be_is_refused_by_name(home: Home, pools: list[object], words: list[str]) -> None:
    before = home.on("router", "cat /etc/dnsmasq.conf")
    refused = home.site("--extra-vars", json.dumps({"lantern_pools": pools}))
    text = message(refused)
    assert all(word in text for word in words), refused.output
    assert refused.changed == {}
    assert set(refused.recap) == {"localhost"}, "nothing else was even looked at"
    assert home.on("router", "cat /etc/dnsmasq.conf") == before
    assert home.service_address() == "192.168.2.128"


def test_a_lease_inside_the_pool_is_listed_and_refused(home: Home) -> None:
    lease = "99999999999 02:00:00:00:00:99 192.168.2.150 printer *"
    home.on("router", f"echo '{lease}' >> /var/lib/misc/dnsmasq.leases; systemctl restart dnsmasq")
    try:
        home.on("router", "sed -i 's/^dhcp-range=.*/dhcp-range=192.168.2.2,192.168.2.254,12h/' /etc/dnsmasq.conf")
        text = message(home.site("--tags=reserve"))
        assert "192.168.2.150" in text
        assert "printer" in text
    finally:
        home.on("router", "systemctl stop dnsmasq; sed -i /printer/d /var/lib/misc/dnsmasq.leases")
    assert home.site("--tags=reserve").returncode == 0


@pytest.mark.parametrize(
    ("stage", "who"),
    [("reserve", "The router home-router (192.168.2.1)"), ("verify", "The control plane node1 (192.168.2.11)")],
)
def test_missing_credentials(home: Home, stage: str, who: str) -> None:
    """The lab's key is not offered, so nothing is left to log in with."""
    options = "-o IdentityFile=/nonexistent -o IdentitiesOnly=yes -o ControlPath=none -o StrictHostKeyChecking=no"
    refused = home.site(f"--tags={stage}", "--extra-vars", json.dumps({"ansible_ssh_common_args": options}))
    text = message(refused)
    assert f"{who} cannot be reached" in text
    assert "ermission denied" in text and "ansible_user with a key" in text


def test_a_router_that_does_not_answer_is_named_with_the_way_around_it(home: Home) -> None:
    home.lab("cable", "router", "cut")
    try:
        text = message(home.site("--tags=reserve"))
    finally:
        home.lab("cable", "router", "join")
    assert "The router home-router (192.168.2.1) cannot be reached" in text
    assert "lantern_router.type to manual" in text
    again = home.site("--tags=reserve")
    assert again.returncode == 0 and again.changed == {}, again.output


@pytest.mark.parametrize("given", [{}, {"ansible_become_password": "wrong"}])
def test_a_login_that_may_not_become_root(home: Home, given: dict[str, str]) -> None:
    rights = "/etc/sudoers.d/homelab"
    before = home.on("router", f"cat {rights}")
    home.on("router", f"sed -i 's/NOPASSWD: //' {rights}")
    try:
        text = message(home.site("--tags=reserve", "--extra-vars", json.dumps(given)))
    finally:
        home.on("router", f"cat > {rights}", stdin=before)
    assert "The router home-router (192.168.2.1) does not let this login become root" in text
    assert "Set ansible_become_password" in text


def test_a_node_without_power_is_named_and_the_run_after_its_return_succeeds(home: Home) -> None:
    home.lab("power", "node3", "off")
    try:
        text = message(home.site("--tags=prepare"))
        assert "node3" in text
        assert "192.168.2.13" in text
    finally:
        home.lab("power", "node3", "on")
    home.kubectl("wait", "node/node3", "--for=condition=Ready", "--timeout=90s")
    home.kubectl("--namespace=demo", "rollout", "status", "deployment/web", "--timeout=90s")
    run = home.site()
    assert run.returncode == 0, run.output


def test_an_image_that_cannot_be_built_says_why(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "base.tar"
    broken.write_text("this is no image")
    refused = home.site("--tags=deploy", "--extra-vars", json.dumps({"deploy_base_image_archive": str(broken)}))
    assert str(broken) in message(refused)
    assert "The lantern is lit." in home.curl("192.168.2.128"), "what runs goes on running"


def test_another_implementation_is_refused_by_name(home: Home) -> None:
    home.kubectl("create", "namespace", "kube-vip")
    home.kubectl("--namespace=kube-vip", "apply", "--filename=-", stdin=KUBE_VIP)
    try:
        assert "kube-vip" in message(home.site("--tags=deploy"))
    finally:
        home.kubectl("delete", "namespace", "kube-vip")


KUBE_VIP = """
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: kube-vip-ds
spec:
  selector: {matchLabels: {app: kube-vip}}
  template:
    metadata: {labels: {app: kube-vip}}
    spec:
      containers:
        - name: kube-vip
          image: ghcr.io/kube-vip/kube-vip:v0.8.9
          args: [manager]
          env: [{name: svc_enable, value: "true"}]
"""
