# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Homes that are broken on purpose, one fault at a time: stage verify names the hop, the cause and the remedy."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, Home

LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: demo
  annotations: {{{annotations}}}
spec:
  type: LoadBalancer
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: {target_port}}}]
"""


@dataclasses.dataclass(frozen=True)
class Report:
    """What verify.json holds, for one Service."""

    returncode: int
    output: str
    rows: list[dict[str, Any]]
    broken: dict[str, Any] | None

    @property
    def hop(self) -> str:
        return self.broken["hop"] if self.broken else ""

    @property
    def likely(self) -> str:
        return self.broken["causes"][0] if self.broken and self.broken["causes"] else ""


@dataclasses.dataclass(frozen=True)
class BrokenHome(Home):
    """A home with a Service demo/web, and a guest in a second LAN."""

    @property
    def reports(self) -> Path:
        return Path(self.lab("inventory").strip()).parent / "lantern-report"

    def verify(self, service: str = "demo/web", *arguments: str) -> Report:
        """One run of the stage; patience is not tested here."""
        played = self.play("playbooks/verify.yml", "--extra-vars", '{"verify_timeout": 1}', *arguments)
        found = json.loads((self.reports / "verify.json").read_text())
        mine = [row for row in found["broken"] if row["subject"] == service]
        rows = [row for row in found["rows"] if row["subject"] == service]
        return Report(played.returncode, played.output, rows, mine[0] if mine else None)

    def address(self, service: str = "web") -> str:
        """Its address, waited for."""
        deadline = time.monotonic() + 20
        while not (found := self.service_address(service)) and time.monotonic() < deadline:
            time.sleep(0.3)
        return found

    def owner(self, address: str) -> str:
        """The node that answers ARP for it, waited for."""
        macs = {host["mac"]: host["name"] for host in json.loads(self.lab("status", "--json"))["hosts"]}
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            said = self.on("client", f"arping -c 1 -w 2 {address}", check=False)
            for mac, name in macs.items():
                if mac in said.lower():
                    return str(name)
        raise AssertionError(f"nobody answers for {address}")

    @contextmanager
    def service(self, name: str, *, annotations: str = "", target_port: int = 80) -> Iterator[str]:
        """Another Service in front of the same pods; its address."""
        text = SERVICE.format(name=name, annotations=annotations, target_port=target_port)
        self.kubectl("apply", "--filename=-", stdin=text)
        try:
            yield self.address(name)
        finally:
            self.kubectl("--namespace=demo", "delete", "service", name)

    @contextmanager
    def broken(self, host: str, damage: str, repair: str) -> Iterator[None]:
        """A fault made and mended by shell commands on a host."""
        self.on(host, damage)
        try:
            yield
        finally:
            self.on(host, repair, check=False)

    def until_good(self, service: str = "demo/web") -> None:
        """Wait until the home has recovered from the last fault."""
        report = self.verify(service, "--extra-vars", '{"verify_timeout": 60}')
        assert report.hop == "", report.broken


@pytest.fixture(scope="module")
def home() -> Iterator[BrokenHome]:
    import os

    home = BrokenHome(os.environ.get("LANTERN_BROKEN_LAB", "e2e-broken"))
    if "LANTERN_BROKEN_LAB" not in os.environ:
        home.set_up("--ipv6", "--second-lan=192.168.30.0/24")
    yield home
    if "LANTERN_BROKEN_LAB" not in os.environ:
        home.lab("down")


def test_nothing_broken(home: BrokenHome) -> None:
    report = home.verify()
    assert report.returncode == 0, report.output
    hops = [(row["hop"], row["result"]) for row in report.rows]
    assert hops == [
        (name, "good") for name in ("Service", "pool", "endpoints", "owner", "ARP", "TCP 80", "HTTP 80", "way back")
    ]
    assert all(0 < row["milliseconds"] < 1000 for row in report.rows if row["hop"] in ("ARP", "TCP 80", "HTTP 80"))
    assert (home.reports / "plan.svg").read_text().startswith("<svg")
    page = (home.reports / "verify.html").read_text()
    assert "Every Service answers" in page and home.address() in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", ""), "the page needs nothing from elsewhere"


def test_no_endpoints(home: BrokenHome) -> None:
    home.kubectl("--namespace=demo", "scale", "deployment/web", "--replicas=0")
    home.kubectl("--namespace=demo", "wait", "pod", "--selector=app=web", "--for=delete", "--timeout=60s")
    try:
        report = home.verify()
        assert report.returncode != 0
        assert report.hop == "endpoints"
        assert "replicas" in report.likely
    finally:
        home.kubectl("--namespace=demo", "scale", "deployment/web", "--replicas=3")
        home.kubectl("--namespace=demo", "rollout", "status", "deployment/web", "--timeout=90s")


def test_a_pool_outside_the_lan(home: BrokenHome) -> None:
    pool = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: elsewhere, namespace: metallb-system}
spec: {addresses: [10.99.0.0/28], autoAssign: false}
"""
    advertisement = """
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: elsewhere, namespace: metallb-system}
spec: {ipAddressPools: [elsewhere]}
"""
    home.kubectl("apply", "--filename=-", stdin=f"{pool}---{advertisement}")
    try:
        with home.service("far", annotations="metallb.io/address-pool: elsewhere") as address:
            assert address.startswith("10.99.0.")
            report = home.verify("demo/far")
            assert report.hop == "pool", report.rows
            assert "192.168.2.0/24" in report.broken["text"] and "no route" in report.likely
    finally:
        home.kubectl("--namespace=metallb-system", "delete", "l2advertisement,ipaddresspool", "elsewhere")


def test_a_pool_that_nothing_announces(home: BrokenHome) -> None:
    pool = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: mute, namespace: metallb-system}
spec: {addresses: [192.168.2.100-192.168.2.102], autoAssign: false}
"""
    home.kubectl("apply", "--filename=-", stdin=pool)
    try:
        with home.service("mute", annotations="metallb.io/address-pool: mute"):
            report = home.verify("demo/mute")
            assert report.hop == "pool", report.rows
            assert "L2Advertisement" in report.likely
    finally:
        home.kubectl("--namespace=metallb-system", "delete", "ipaddresspool", "mute")


def test_every_node_is_labelled_away(home: BrokenHome) -> None:
    home.kubectl("label", "nodes", "--all", f"{LABEL}=", "--overwrite")
    try:
        report = home.verify()
        assert report.hop == "owner", report.rows
        assert LABEL in report.likely and report.broken["command"].startswith("kubectl label node")
    finally:
        home.kubectl("label", "nodes", "node2", "node3", f"{LABEL}-")
    home.until_good()


@pytest.mark.parametrize(
    ("verdict", "words"), [("reject with icmpx type admin-prohibited", "rejects it"), ("drop", "drops it")]
)
def test_a_firewall_closed_on_the_node(home: BrokenHome, verdict: str, words: str) -> None:
    """As firewalld does it: what is forwarded into the pod network is refused, and so are the node's other ports."""
    node = home.owner(home.address())
    rules = f"""
table inet closed {{
  chain forward {{
    type filter hook forward priority 10
    iifname eth0 ct state new {verdict}
  }}
  chain input {{
    type filter hook input priority 10
    iifname eth0 ip saddr 192.168.2.80 tcp dport != 22 ct state new {verdict}
  }}
}}
"""
    with home.broken(node, f"echo '{rules}' | nft -f -", "nft delete table inet closed"):
        report = home.verify()
        assert report.hop == "TCP 80", report.rows
        assert "firewall" in report.likely and words in report.likely
        assert "firewall-cmd" in report.broken["command"]


def test_kube_proxy_stopped_before_the_service_came(home: BrokenHome) -> None:
    system = "--namespace=kube-system"
    home.kubectl(
        system, "patch", "daemonset", "kube-proxy", "--type=merge",
        "--patch", '{"spec":{"template":{"spec":{"nodeSelector":{"nowhere":"true"}}}}}',
    )  # fmt: skip
    home.kubectl(system, "wait", "pod", "--selector=k8s-app=kube-proxy", "--for=delete", "--timeout=60s")
    try:
        with home.service("late"):
            report = home.verify("demo/late")
            assert report.hop == "TCP 80", report.rows
            assert "kube-proxy does not run" in report.likely
            assert "daemonset/kube-proxy" in report.broken["command"]
    finally:
        home.kubectl(
            system, "patch", "daemonset", "kube-proxy", "--type=json",
            "--patch", '[{"op": "remove", "path": "/spec/template/spec/nodeSelector/nowhere"}]',
        )  # fmt: skip
        home.kubectl(system, "rollout", "status", "daemonset/kube-proxy", "--timeout=60s")


def test_the_wrong_port_of_the_container(home: BrokenHome) -> None:
    with home.service("wrong", target_port=8081):
        report = home.verify("demo/wrong")
        assert report.hop == "TCP 80", report.rows
        assert "targetPort" in report.likely


def test_another_node_answers_too(home: BrokenHome) -> None:
    """As kube-proxy in mode ipvs without strictARP, or a forgotten keepalived."""
    address = home.address()
    owner = home.owner(address)
    other = "node1" if owner != "node1" else "node2"
    with home.broken(other, f"ip address add {address}/32 dev eth0", f"ip address del {address}/32 dev eth0"):
        report = home.verify()
        assert report.hop == "ARP", report.rows
        assert other in report.broken["text"]
    home.until_good()


SQUATTER = (
    "ip link add squatter link eth0 type macvlan mode bridge && sysctl -qw net.ipv4.conf.all.arp_ignore=1 "
    "&& ip address add {address}/24 dev squatter && ip link set squatter up"
)
NO_SQUATTER = "ip link del squatter; sysctl -qw net.ipv4.conf.all.arp_ignore=0"


def test_a_device_takes_an_address_that_is_announced(home: BrokenHome) -> None:
    with home.broken("router", SQUATTER.format(address=home.address()), NO_SQUATTER):
        mac = home.on("router", "cat /sys/class/net/squatter/address").strip()
        report = home.verify()
        assert report.hop == "ARP", report.rows
        assert mac in report.broken["text"]
        assert "Another device uses" in report.likely and "reserve" in report.broken["command"]
        assert mac in (home.reports / "verify.html").read_text()
    home.until_good()


def test_a_device_had_the_address_before_the_service(home: BrokenHome) -> None:
    """As a lease from a DHCP server that was never told of the pool."""
    with home.broken("router", SQUATTER.format(address="192.168.2.140"), NO_SQUATTER):
        mac = home.on("router", "cat /sys/class/net/squatter/address").strip()
        with home.service("taken", annotations="metallb.io/loadBalancerIPs: 192.168.2.140"):
            report = home.verify("demo/taken")
            assert report.hop == "ARP", report.rows
            assert mac in report.broken["text"]


def test_a_cable_cut_on_the_only_node_that_may_announce(home: BrokenHome) -> None:
    address = home.address()
    owner = home.owner(address)
    other = "node2" if owner == "node3" else "node3"
    home.kubectl("label", "node", other, f"{LABEL}=")
    home.lab("cable", owner, "cut")
    try:
        report = home.verify()
        assert report.hop == "owner", report.rows
        assert owner in report.broken["text"] + report.likely
        assert "cable" in report.likely or "not Ready" in report.likely
    finally:
        home.lab("cable", owner, "join")
        home.kubectl("label", "node", other, f"{LABEL}-")
        home.kubectl("wait", f"node/{owner}", "--for=condition=Ready", "--timeout=90s")
    home.until_good()


@pytest.fixture
def guest(home: BrokenHome) -> Path:
    """The same inventory with the guest of the second LAN as the host that tries, logged in to by way of the router."""
    inventory = Path(home.lab("inventory").strip())
    text = yaml.safe_load(inventory.read_text())
    common = text["all"]["vars"]["ansible_ssh_common_args"]
    address = home.on("guest", "ip -4 -brief address show eth0").split()[2].partition("/")[0]
    jump = f'-o ProxyCommand="ssh {common} -W %h:%p homelab@192.168.2.1"'
    text["all"]["children"]["probe"] = {
        "hosts": {"guest": {"ansible_host": address, "ansible_ssh_common_args": f"{common} {jump}"}}
    }
    copy = inventory.with_name("guest.yml")
    copy.write_text(yaml.safe_dump(text))
    return copy


def test_from_a_second_lan(home: BrokenHome, guest: Path) -> None:
    report = home.verify("demo/web", f"--inventory={guest}")
    assert report.hop == "", report.broken
    results = {row["hop"]: row["result"] for row in report.rows}
    assert results["gateway"] == "good" and results["ARP"] == "skipped" and results["way back"] == "good"


def test_a_wrong_gateway_in_a_second_lan(home: BrokenHome, guest: Path) -> None:
    with home.broken(
        "guest", "ip route replace default via 192.168.30.200", "ip route replace default via 192.168.30.1"
    ):
        report = home.verify("demo/web", f"--inventory={guest}")
        assert report.hop == "gateway", report.rows
        assert "192.168.30.200" in report.broken["text"] and "gateway is wrong" in report.likely


def test_ipv6(home: BrokenHome) -> None:
    prefix = home.lab("prefix").strip().partition("/")[0].removesuffix("::")
    pool = f"""
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: six, namespace: metallb-system}}
spec: {{addresses: ["{prefix}::100-{prefix}::10f"], autoAssign: false}}
"""
    home.kubectl("apply", "--filename=-", stdin=pool)
    advertisement = """
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: six, namespace: metallb-system}
spec: {ipAddressPools: [six]}
"""
    home.kubectl("apply", "--filename=-", stdin=advertisement)
    service = SERVICE.format(name="six", annotations="metallb.io/address-pool: six", target_port=80)
    home.kubectl("apply", "--filename=-", stdin=service + "  ipFamilyPolicy: SingleStack\n  ipFamilies: [IPv6]\n")
    try:
        assert home.address("six").startswith(prefix)
        report = home.verify("demo/six", "--extra-vars", '{"verify_timeout": 20}')
        assert report.hop == "", report.broken
        assert {row["hop"]: row["result"] for row in report.rows}["NDP"] == "good"
    finally:
        home.kubectl("--namespace=demo", "delete", "service", "six")
        home.kubectl("--namespace=metallb-system", "delete", "l2advertisement,ipaddresspool", "six")


def test_failover_is_measured_and_the_node_comes_back(home: BrokenHome) -> None:
    run = home.play(
        "playbooks/failover.yml", "--extra-vars", '{"failover_budget": 30000, "failover_service": "demo/web"}'
    )
    assert run.returncode == 0, run.output
    assert "Took over" in run.output and "(drain)" in run.output
    for node in home.get("nodes")["items"]:
        assert not node["spec"].get("unschedulable"), "nothing is left of the drain"
    assert sum(LABEL in node["metadata"]["labels"] for node in home.get("nodes")["items"]) == 1, "kubeadm's own"


def test_a_power_cut_over_the_budget_fails_the_play(home: BrokenHome) -> None:
    lab = str(PROJECT / "tests/lab/lab")
    settings = {
        "failover_method": "power",
        "failover_budget": 1,
        "failover_power_off": [lab, "power", "{node}", "off"],
        "failover_power_on": [lab, "power", "{node}", "on"],
    }
    run = home.play("playbooks/failover.yml", "--extra-vars", json.dumps(settings))
    assert run.returncode != 0
    assert "did not answer for" in run.output and "failover_budget is 1 ms" in " ".join(run.output.split())
    home.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=120s")
    home.until_good()


def test_a_power_cut_needs_a_switch(home: BrokenHome) -> None:
    run = home.play("playbooks/failover.yml", "--extra-vars", "failover_method=power")
    assert run.returncode != 0 and "failover_power_off is empty" in run.output
