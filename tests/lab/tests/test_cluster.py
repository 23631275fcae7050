# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dual-stack cluster with kube-proxy's nftables mode: what the lab promises to tests that need one."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running_home import Home

HOME = Home("lab-cluster-test")
lab = HOME.lab
PREFIX, NEW_PREFIX = "fd66:0:0:1", "fd66:0:0:2"


@pytest.fixture(scope="module", autouse=True)
def home() -> Iterator[None]:
    lab("down")
    lab("up", "--nodes=2", "--lan=192.168.66.0/24", f"--ipv6={PREFIX}::/64", "--proxy-mode=nftables", "--os=debian,el")
    yield
    lab("down")


def kubectl(*arguments: str, stdin: str = "", check: bool = True) -> str:
    return lab("kubectl", *arguments, stdin=stdin, check=check).stdout


def get(*arguments: str) -> Any:
    return json.loads(kubectl("get", "--output=json", *arguments))


def curl(host: str, url: str) -> str:
    return lab("exec", host, "--", "curl", "--silent", "--max-time", "3", url, check=False).stdout


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within time"
        time.sleep(0.5)


def internal_addresses() -> dict[str, list[str]]:
    return {
        node["metadata"]["name"]: [a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"]
        for node in get("nodes")["items"]
    }


def test_nodes_have_internal_addresses_of_both_families() -> None:
    assert internal_addresses() == {
        "node1": ["192.168.66.11", f"{PREFIX}::11"],
        "node2": ["192.168.66.12", f"{PREFIX}::12"],
    }


def test_an_image_from_a_tutorial_runs_unchanged_and_answers_on_every_address() -> None:
    kubectl("run", "nginx", "--image=nginx")
    kubectl("wait", "pod/nginx", "--for=condition=Ready", "--timeout=60s")
    family = '{"spec": {"ipFamilyPolicy": "RequireDualStack"}}'
    kubectl("expose", "pod", "nginx", "--port=80", "--type=NodePort", f"--overrides={family}")
    service = get("service", "nginx")["spec"]
    port = service["ports"][0]["nodePort"]
    for url in (f"http://192.168.66.11:{port}/", f"http://[{PREFIX}::12]:{port}/"):
        until(lambda url=url: "Welcome to nginx!" in curl("client", url))  # type: ignore[misc]
    first, second = service["clusterIPs"]
    assert ":" in second
    for url in (f"http://{first}/", f"http://[{second}]/"):
        assert "Welcome to nginx!" in curl("node1", url)


def test_kube_proxy_works_by_nftables() -> None:
    settings = get("--namespace=kube-system", "configmap", "kube-proxy")["data"]["config.conf"]
    assert "mode: nftables" in settings
    for family in ("ip", "ip6"):
        table = lab("exec", "node2", "--", "nft", "list", "table", family, "kube-proxy").stdout
        assert "service-endpoints" in table
    assert "KUBE-SERVICES" not in lab("exec", "node2", "--", "iptables-save", "-t", "nat").stdout


def test_the_demonstration_image_listens_where_its_manifest_says() -> None:
    kubectl("create", "deployment", "kube-verify", "--image=quay.io/clcollins/kube-verify:01", "--replicas=2")
    kubectl("rollout", "status", "deployment/kube-verify", "--timeout=60s")
    kubectl("expose", "deployment", "kube-verify", "--port=80", "--target-port=8080")
    address = get("service", "kube-verify")["spec"]["clusterIP"]
    until(lambda: "Test Page for the HTTP Server" in curl("node1", f"http://{address}/"))


def test_an_image_that_was_pushed_can_be_run_under_the_name_it_was_pushed_by(tmp_path: Path) -> None:
    archive = tmp_path / "web.tar"
    runc = [HOME.program, "exec", "node1", "--", "ctr", "-n", "k8s.io", "images", "export", "-", "localhost/web:1"]
    with archive.open("wb") as file:
        subprocess.run(runc, env=HOME.environment, stdout=file, check=True)
    lab("registry", "push", str(archive), "ghcr.io/somebody/web:7")
    kubectl("run", "pushed", "--image=ghcr.io/somebody/web:7", "--image-pull-policy=Always")
    kubectl("wait", "pod/pushed", "--for=condition=Ready", "--timeout=60s")
    address = get("pod", "pushed")["status"]["podIP"]
    until(lambda: "The lantern is lit." in curl("node1", f"http://{address}/"))
    assert "no such file" in lab("registry", "push", "/no/such.tar", "web", check=False).stderr


def test_an_image_that_nobody_has_is_an_error_within_seconds() -> None:
    kubectl("run", "missing", "--image=quay.io/nobody/nothing:1")
    pod = ("pod", "missing")

    def refused() -> bool:
        statuses = get(*pod)["status"].get("containerStatuses", [])
        return any(
            s["state"].get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff") for s in statuses
        )

    until(refused, seconds=20)
    kubectl("delete", *pod, "--now")


def test_a_node_with_a_bad_cable_stays_ready() -> None:
    lab("cable", "node2", "impair", "--delay=100ms", "--jitter=50ms", "--loss=2%")
    before = heartbeat("node2")
    until(lambda: heartbeat("node2") != before, seconds=40)
    assert ready("node2")
    lab("cable", "node2", "clear")


def heartbeat(node: str) -> str:
    return str(get("--namespace=kube-node-lease", "lease", node)["spec"]["renewTime"])


def ready(node: str) -> bool:
    return bool(json.loads(lab("status", "--json").stdout)["kubernetes"]["nodes_ready"].get(node))


def test_a_node_that_reboots_serves_again() -> None:
    before = get("node", "node2")["status"]["nodeInfo"]["bootID"]
    lab("exec", "node2", "--", "reboot", check=False)
    until(lambda: get("node", "node2")["status"]["nodeInfo"]["bootID"] != before, seconds=60)
    until(lambda: ready("node2"), seconds=60)


def test_internal_addresses_follow_a_new_prefix() -> None:
    lab("prefix", f"{NEW_PREFIX}::/64")
    wanted = {"node1": ["192.168.66.11", f"{NEW_PREFIX}::11"], "node2": ["192.168.66.12", f"{NEW_PREFIX}::12"]}
    until(lambda: internal_addresses() == wanted)
