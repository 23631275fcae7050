# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a newcomer sees first, and what must hold afterwards."""

from __future__ import annotations

import ipaddress
import time

from conftest import Home

POOL = ipaddress.ip_network("192.168.2.128/25")
# Broadcasts a DHCPDISCOVER that asks for one address and prints the one that was offered; then requests an address
# as a client that believes to own it, and prints whether the router refuses. No lease is taken either way.
ASK_FOR = """
import random, sys
from scapy.all import BOOTP, DHCP, IP, UDP, Ether, conf, get_if_hwaddr, srp1
conf.checkIPaddr = conf.verb = 0
wanted = sys.argv[1]
mac = bytes([2, *random.randbytes(5)])
def ask(*options):
    frame = (Ether(dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
             / BOOTP(chaddr=mac, xid=random.getrandbits(32), flags=0x8000) / DHCP(options=[*options, "end"]))
    return srp1(frame, iface="eth0", timeout=6)
offer = ask(("message-type", "discover"), ("requested_addr", wanted))
print(offer[BOOTP].yiaddr if offer else "none")
answer = ask(("message-type", "request"), ("requested_addr", wanted))
print({5: "ack", 6: "nak"}[dict(o[:2] for o in answer[DHCP].options if isinstance(o, tuple))["message-type"]]
      if answer else "none")
"""


def test_demo_ends_with_the_page(home: Home) -> None:
    done = home.run("python", "-m", "homelab.demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The lantern is lit." in done.stdout
    assert "which is node" in done.stdout


def test_the_address_is_from_the_pool_and_one_node_answers_for_it(home: Home) -> None:
    address = home.service_address()
    assert ipaddress.ip_address(address) in POOL
    assert "The lantern is lit." in home.curl(address)
    answers = home.on("client", f"arping -c 3 -I eth0 {address}", check=False)
    macs = {word.strip("[]").lower() for word in answers.split() if word.startswith("[") and ":" in word}
    assert len(macs) == 1, answers
    assert macs <= {node["mac"] for node in _nodes(home)}


def _nodes(home: Home) -> list[dict[str, str]]:
    import json

    return [host for host in json.loads(home.lab("status", "--json"))["hosts"] if host["kind"] == "node"]


def test_the_events_say_who_did_what(home: Home) -> None:
    events = home.get("--namespace=demo", "events")["items"]
    about_web = [event for event in events if event["involvedObject"]["name"] == "web"]
    told = {(event["reason"], event["source"]["component"]): event["message"] for event in about_web}
    assert told["IPAllocated", "metallb-controller"] == f'Assigned IP ["{home.service_address()}"]'
    assert told["nodeAssigned", "metallb-speaker"].startswith('announcing from node "node')


def test_the_control_plane_label_is_respected_where_other_nodes_can_serve(home: Home) -> None:
    labels = home.get("node", "node1")["metadata"]["labels"]
    assert "node.kubernetes.io/exclude-from-external-load-balancers" in labels
    events = home.get("--namespace=demo", "events")["items"]
    assert not [e for e in events if e["reason"] == "nodeAssigned" and 'node "node1"' in e["message"]]


def test_a_second_run_changes_nothing(home: Home) -> None:
    again = home.site()
    assert again.returncode == 0, again.output
    assert set(again.recap) == {"localhost", "home-router", "node1", "node2", "node3"}
    assert again.changed == {}, {host: again.task_changed(host) for host in again.changed}


def test_no_lease_can_be_had_inside_the_pool(home: Home) -> None:
    for wanted in ("192.168.2.128", "192.168.2.200", "192.168.2.254"):
        offered, answer = home.lab("exec", "client", "--", "python3", "-", wanted, stdin=ASK_FOR).split()
        assert offered == "none" or ipaddress.ip_address(offered) not in POOL, f"{wanted}: {offered} was offered"
        assert answer == "nak", f"the request for {wanted} was answered by {answer}"


def test_leases_are_still_to_be_had_outside_the_pool(home: Home) -> None:
    offered, _ = home.lab("exec", "client", "--", "python3", "-", "192.168.2.99", stdin=ASK_FOR).split()
    assert ipaddress.ip_address(offered) in ipaddress.ip_network("192.168.2.0/25")


def test_killing_the_controller_changes_nothing(home: Home) -> None:
    address = home.service_address()
    version = home.get("--namespace=demo", "service", "web")["metadata"]["resourceVersion"]
    pods = ("--namespace=metallb-system", "--selector=app=metallb,component=controller")
    home.kubectl("delete", "pod", *pods, "--wait=false")
    for _ in range(20):
        assert "The lantern is lit." in home.curl(address)
        time.sleep(0.2)
    home.kubectl("wait", "pod", *pods, "--for=condition=Ready", "--timeout=60s")
    assert home.service_address() == address
    assert home.get("--namespace=demo", "service", "web")["metadata"]["resourceVersion"] == version


def test_a_new_service_gets_the_next_address_and_gives_it_back(home: Home) -> None:
    home.kubectl("--namespace=demo", "expose", "deployment/web", "--name=second", "--type=LoadBalancer", "--port=80")
    deadline = time.monotonic() + 10
    while not (address := home.service_address("second")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ipaddress.ip_address(address) == ipaddress.ip_address(home.service_address()) + 1
    deadline = time.monotonic() + 15
    while "lit" not in home.curl(address) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "The lantern is lit." in home.curl(address)
    home.kubectl("--namespace=demo", "delete", "service", "second")
    deadline = time.monotonic() + 10
    while "Received 1" in (last := home.on("client", f"arping -c 1 -w 1 -I eth0 {address}", check=False)):
        assert time.monotonic() < deadline, last
