# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the prepare stage does to nodes of a running cluster: iptables' backend, strictARP, reboots one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from conftest import Home, Play

PREPARE = "playbooks/prepare.yml"
PROXY_PODS = ("--namespace=kube-system", "pods", "--selector=k8s-app=kube-proxy")


@pytest.fixture(scope="module")
def pair() -> Iterator[Home]:
    home = Home("e2e-nodes")
    home.set_up("--nodes=2")
    yield home
    home.lab("down")


def boot(home: Home, node: str) -> str:
    return home.on(node, "cat /proc/sys/kernel/random/boot_id")


def waited_for(run: Play) -> list[str]:
    """What the play printed while it waited."""
    return re.findall(r"^ +\d+ s  (.*)$", run.output, re.MULTILINE)


def strict_arp(home: Home) -> str:
    settings = home.get("--namespace=kube-system", "configmap", "kube-proxy")["data"]["config.conf"]
    return re.findall(r"strictARP: (\w+)", settings)[0]


def test_nodes_in_order_are_left_alone(pair: Home) -> None:
    before = [boot(pair, node) for node in ("node1", "node2")]
    run = pair.play(PREPARE)
    assert run.returncode == 0, run.output
    assert run.changed == {}, {host: run.task_changed(host) for host in run.changed}
    assert "kube-proxy runs in iptables mode" in " ".join(run.output.split())
    assert [boot(pair, node) for node in ("node1", "node2")] == before


def test_a_node_whose_iptables_cannot_see_the_clusters_rules_is_repaired_and_rebooted(pair: Home) -> None:
    for tool in ("iptables", "ip6tables"):
        pair.on("node2", f"update-alternatives --set {tool} /usr/sbin/{tool}-legacy")
    before = [boot(pair, node) for node in ("node1", "node2")]
    run = pair.play(PREPARE)
    assert run.returncode == 0, run.output
    assert "chains are in nf_tables" in run.output
    assert "nf_tables" in pair.on("node2", "iptables --version")
    assert boot(pair, "node1") == before[0]
    assert boot(pair, "node2") != before[1]
    assert waited_for(run)[-1] == "node2 is Ready, 1 of 1 Service ports answer"
    assert "The lantern is lit." in pair.curl(pair.service_address())
    again = pair.play(PREPARE)
    assert again.changed == {}, {host: again.task_changed(host) for host in again.changed}


def test_all_nodes_reboot_one_after_the_other_with_their_pods_sent_away(pair: Home) -> None:
    before = [boot(pair, node) for node in ("node1", "node2")]
    run = pair.play(PREPARE, "--extra-vars", json.dumps({"prepare_reboot": "always", "prepare_drain": True}))
    assert run.returncode == 0, run.output
    assert all(boot(pair, node) != old for node, old in zip(("node1", "node2"), before, strict=True))
    lines = waited_for(run)
    well = [line for line in lines if "is Ready, 1 of 1" in line]
    assert [line.split()[0] for line in well][0] == "node2", "the API server goes last"
    assert lines[-1] == "node1 is Ready, 1 of 1 Service ports answer"
    assert all("unschedulable" not in node["spec"] for node in pair.get("nodes")["items"])
    assert "The lantern is lit." in pair.curl(pair.service_address())


def test_ipvs_mode_gets_strict_arp_and_loses_it_with_the_reset(pair: Home) -> None:
    """This kernel has no IPVS: the pods run from a copy of the settings that people would have edited."""
    original = pair.get("--namespace=kube-system", "configmap", "kube-proxy")
    copy = {**original, "metadata": {"name": "kube-proxy-real", "namespace": "kube-system"}}
    pair.kubectl("apply", "--filename=-", stdin=json.dumps(copy))
    path = "/spec/template/spec/volumes/0/configMap/name"
    patch = [{"op": "replace", "path": path, "value": "kube-proxy-real"}]
    pair.kubectl(
        "--namespace=kube-system", "patch", "daemonset/kube-proxy", "--type=json", "--patch", json.dumps(patch)
    )
    pair.kubectl("--namespace=kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=120s")
    ipvs = original["data"]["config.conf"].replace("mode: iptables", "mode: ipvs")
    change = json.dumps({"data": {"config.conf": ipvs}})
    pair.kubectl("--namespace=kube-system", "patch", "configmap/kube-proxy", "--type=merge", "--patch", change)
    before = {pod["metadata"]["name"] for pod in pair.get(*PROXY_PODS)["items"]}

    looked = pair.play(PREPARE, "--check", "--diff")
    assert looked.returncode == 0, looked.output
    assert re.search(r"^\+ +strictARP: true", looked.output, re.MULTILINE)
    assert strict_arp(pair) == "false"

    run = pair.play(PREPARE)
    assert run.returncode == 0, run.output
    assert strict_arp(pair) == "true"
    assert waited_for(run)[-1] == "kube-proxy 2 of 2 ready"
    assert not before & {pod["metadata"]["name"] for pod in pair.get(*PROXY_PODS)["items"]}
    again = pair.play(PREPARE)
    assert again.changed == {}, {host: again.task_changed(host) for host in again.changed}

    done = pair.play("playbooks/reset.yml", "--tags=prepare")
    assert done.returncode == 0, done.output
    after = pair.get("--namespace=kube-system", "configmap", "kube-proxy")
    assert after["data"]["config.conf"] == ipvs
    assert not [name for name in after["metadata"].get("annotations", {}) if "lantern" in name]
    assert pair.on("node2", "ls /var/lib/lantern /etc/sysctl.d/60-lantern.conf 2>/dev/null", check=False) == ""
