# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server accepts and refuses of people's objects, by schema and validation rules alone."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from lablib.kube import NAMESPACE, ApiServer
from lantern.adapters.yaml_text import load

ROOT = Path(__file__).resolve().parents[3]
CRDS = ROOT / "roles/deploy/files/crds"
CONVERTED = ROOT / "tests/speaker/golden/convert"
GROUP = "metallb.io"
PLURALS = {
    "IPAddressPool": "ipaddresspools",
    "L2Advertisement": "l2advertisements",
    "BGPAdvertisement": "bgpadvertisements",
    "BGPPeer": "bgppeers",
    "BFDProfile": "bfdprofiles",
    "Community": "communities",
    "ServiceL2Status": "servicel2statuses",
    "ServiceBGPStatus": "servicebgpstatuses",
    "ConfigurationState": "configurationstates",
}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["d"]}]}
PEER: dict[str, Any] = {"myASN": 64512, "peerASN": 64513, "peerAddress": "10.0.0.1"}


def collection(kind: str, version: str) -> str:
    return f"/apis/{GROUP}/{version}/namespaces/{NAMESPACE}/{PLURALS[kind]}"


def body(kind: str, spec: Any, version: str = "v1beta1", name: str = "x") -> dict[str, Any]:
    given = {} if spec is None else {"spec": spec}
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": name}, **given}


def pool(*addresses: str, **more: Any) -> dict[str, Any]:
    return {"addresses": list(addresses), **more}


def selecting(field: str, **requirement: Any) -> dict[str, Any]:
    return {field: [{"matchExpressions": [{"key": "a", **requirement}]}]}


def peer(**more: Any) -> dict[str, Any]:
    return {key: value for key, value in {**PEER, **more}.items() if value is not None}


V1 = "v1beta1"
V2 = "v1beta2"

ACCEPTED: list[tuple[str, str, Any]] = [
    ("IPAddressPool", V1, pool("192.168.2.128/25")),
    ("IPAddressPool", V1, pool("192.168.2.130/25", "10.0.0.1 - 10.0.0.9", "fd00::/64", "fd00:1::1-fd00:1::ff")),
    ("IPAddressPool", V1, pool(" 10.0.0.1-10.0.0.9 ", "::ffff:10.0.1.0/120", "10.0.2.1/32")),
    ("IPAddressPool", V1, pool()),
    ("IPAddressPool", V1, pool("10.0.0.0/24", autoAssign=False, avoidBuggyIPs=True)),
    ("IPAddressPool", V1, pool("10.0.0.0/24", serviceAllocation={"priority": 5, "namespaces": ["a", "b"]})),
    (
        "IPAddressPool",
        V1,
        pool("10.0.0.0/24", serviceAllocation={"namespaceSelectors": [SELECTOR], "serviceSelectors": [{}]}),
    ),
    # Left to ConfigurationState: rules cannot compare addresses on every Kubernetes that Lantern runs on.
    ("IPAddressPool", V1, pool("10.0.0.9-10.0.0.1")),
    ("IPAddressPool", V1, pool("10.0.0.0/24", "10.0.0.0/25")),
    ("L2Advertisement", V1, None),
    ("L2Advertisement", V1, {}),
    ("L2Advertisement", V1, {"ipAddressPools": ["a", "not-there"], "interfaces": ["eth0"]}),
    ("L2Advertisement", V1, {"nodeSelectors": [SELECTOR, {}], "ipAddressPoolSelectors": [SELECTOR]}),
    ("L2Advertisement", V1, {"serviceSelectors": [SELECTOR]}),
    ("L2Advertisement", V1, {"preferredNodeSelectors": [{"weight": 100, "preference": SELECTOR}]}),
    ("L2Advertisement", V1, selecting("nodeSelectors", operator="Exists")),
    ("L2Advertisement", V1, selecting("nodeSelectors", operator="DoesNotExist", values=[])),
    ("BGPAdvertisement", V1, {}),
    ("BGPAdvertisement", V1, {"aggregationLength": 1, "aggregationLengthV6": 128, "localPref": 100}),
    ("BGPAdvertisement", V1, {"communities": ["65535:65281", "large:4294967295:0:1", "no-export", ""]}),
    ("BGPAdvertisement", V1, {"peers": ["a"], "serviceSelectors": [SELECTOR], "aggregationLength": 32}),
    ("BGPAdvertisement", V1, {"serviceSelectors": [], "aggregationLength": 24}),
    ("BGPPeer", V2, peer()),
    ("BGPPeer", V2, peer(peerASN=None, dynamicASN="external")),
    ("BGPPeer", V2, peer(peerAddress=None, interface="eth0")),
    ("BGPPeer", V2, peer(peerAddress="fd00::1", sourceAddress="fd00::2", routerID="10.0.0.9")),
    ("BGPPeer", V2, peer(holdTime="0s", keepaliveTime="0s")),
    ("BGPPeer", V2, peer(holdTime="1m30s", keepaliveTime="30s", connectTime="10s")),
    ("BGPPeer", V2, peer(keepaliveTime="1s")),
    ("BGPPeer", V2, peer(ebgpMultiHop=True, peerPort=16384, localASN=4294967295, vrf="red")),
    ("BGPPeer", V2, peer(peerASN=64512, ebgpMultiHop=False)),
    ("BGPPeer", V2, peer(password="x", passwordSecret={"name": ""})),
    ("BGPPeer", V2, peer(passwordSecret={"name": "x", "namespace": "y"}, nodeSelectors=[SELECTOR], bfdProfile="z")),
    ("BGPPeer", V2, peer(disableMP=True, dualStackAddressFamily=True, enableGracefulRestart=True)),
    ("BGPPeer", V1, peer()),
    ("BGPPeer", V1, peer(peerPort=0, holdTime="90s", nodeSelectors=[SELECTOR])),
    ("BFDProfile", V1, {}),
    ("BFDProfile", V1, {"receiveInterval": 10, "transmitInterval": 60000, "detectMultiplier": 2, "echoInterval": 50}),
    ("BFDProfile", V1, {"minimumTtl": 254, "echoMode": True, "passiveMode": False}),
    ("Community", V1, {"communities": [{"name": "a", "value": "64512:1"}, {"name": "b", "value": "large:1:2:3"}]}),
    ("ServiceL2Status", V1, {}),
    ("ServiceBGPStatus", V1, {}),
    ("ConfigurationState", V1, None),
]  # fmt: skip

REFUSED: list[tuple[str, str, Any, str]] = [
    ("IPAddressPool", V1, None, "spec: Required value"),
    ("IPAddressPool", V1, {}, "spec.addresses: Required value"),
    ("IPAddressPool", V1, {"addresses": "10.0.0.0/24"}, "must be of type array"),
    ("IPAddressPool", V1, pool("192.168.2.5"), "spec.addresses[0]: Invalid value"),
    ("IPAddressPool", V1, pool("192.168.2.5"), "write a CIDR such as 192.168.2.128/25"),
    ("IPAddressPool", V1, pool("10.0.0.0/24", "lan"), "spec.addresses[1]"),
    ("IPAddressPool", V1, pool(""), "spec.addresses[0]"),
    ("IPAddressPool", V1, pool("10.0.0.0/24/24"), "spec.addresses[0]"),
    ("IPAddressPool", V1, pool("10.0.0.0/255.255.255.0"), "spec.addresses[0]"),
    ("IPAddressPool", V1, pool("10.0.0.1,10.0.0.9"), "spec.addresses[0]"),
    ("IPAddressPool", V1, pool("fe80::1%eth0/64"), "spec.addresses[0]"),
    ("IPAddressPool", V1, pool(" 10.0.0.0/24"), "spec.addresses[0]"),
    ("IPAddressPool", V1, pool("10.0.0.0/24", serviceAllocation={"namespaces": ["a", "a"]}), "something twice"),
    (
        "IPAddressPool",
        V1,
        pool("10.0.0.0/24", serviceAllocation=selecting("serviceSelectors", operator="Is", values=["b"])),
        'Unsupported value: "Is"',
    ),
    ("L2Advertisement", V1, {"ipAddressPools": ["a", "a"]}, "spec.ipAddressPools: Invalid value"),
    ("L2Advertisement", V1, selecting("nodeSelectors", operator="In"), "In and NotIn need values"),
    ("L2Advertisement", V1, selecting("nodeSelectors", operator="NotIn", values=[]), "In and NotIn need values"),
    ("L2Advertisement", V1, selecting("nodeSelectors", operator="Exists", values=["b"]), "DoesNotExist take none"),
    ("L2Advertisement", V1, selecting("serviceSelectors", values=["b"]), "operator: Required value"),
    ("L2Advertisement", V1, {"preferredNodeSelectors": [{"weight": 0, "preference": {}}]}, "weight"),
    ("L2Advertisement", V1, {"preferredNodeSelectors": [{"weight": 101, "preference": {}}]}, "weight"),
    ("L2Advertisement", V1, {"preferredNodeSelectors": [{"weight": 1}]}, "preference: Required value"),
    ("BGPAdvertisement", V1, {"aggregationLength": 0}, "aggregationLength"),
    ("BGPAdvertisement", V1, {"aggregationLength": 33}, "aggregationLength"),
    ("BGPAdvertisement", V1, {"aggregationLengthV6": 129}, "aggregationLengthV6"),
    ("BGPAdvertisement", V1, {"communities": ["65536:1"]}, "spec.communities[0]"),
    ("BGPAdvertisement", V1, {"communities": ["1:2:3"]}, "not a BGP community"),
    ("BGPAdvertisement", V1, {"communities": ["large:1:2:4294967296"]}, "not a BGP community"),
    ("BGPAdvertisement", V1, {"communities": ["small:1:2:3"]}, "not a BGP community"),
    ("BGPAdvertisement", V1, {"communities": ["a", "a"]}, "something twice"),
    ("BGPAdvertisement", V1, {"ipAddressPools": ["a", "a"]}, "something twice"),
    ("BGPAdvertisement", V1, {"peers": ["a", "a"]}, "something twice"),
    ("BGPAdvertisement", V1, {"serviceSelectors": [SELECTOR], "aggregationLength": 24}, "must be 32"),
    ("BGPAdvertisement", V1, {"serviceSelectors": [SELECTOR], "aggregationLengthV6": 64}, "aggregationLengthV6 128"),
    ("BGPPeer", V2, peer(myASN=None), "spec.myASN: Required value"),
    ("BGPPeer", V2, peer(myASN=0), "spec.myASN"),
    ("BGPPeer", V2, peer(myASN=4294967296), "spec.myASN"),
    ("BGPPeer", V2, peer(peerASN=None), "exactly one of peerASN and dynamicASN"),
    ("BGPPeer", V2, peer(peerASN=0), "exactly one of peerASN and dynamicASN"),
    ("BGPPeer", V2, peer(dynamicASN="internal"), "exactly one of peerASN and dynamicASN"),
    ("BGPPeer", V2, peer(peerASN=None, dynamicASN="both"), "dynamicASN"),
    ("BGPPeer", V2, peer(peerAddress=None), "exactly one of peerAddress and interface"),
    ("BGPPeer", V2, peer(interface="eth0"), "exactly one of peerAddress and interface"),
    ("BGPPeer", V2, peer(peerAddress="router.lan"), "spec.peerAddress: Invalid value"),
    ("BGPPeer", V2, peer(peerAddress="10.0.0.256"), "not an IP address"),
    ("BGPPeer", V2, peer(peerAddress="10.0.0.1."), "not an IP address"),
    ("BGPPeer", V2, peer(peerAddress="10.0.0"), "not an IP address"),
    ("BGPPeer", V2, peer(sourceAddress="10.0.0.0/24"), "spec.sourceAddress"),
    ("BGPPeer", V2, peer(routerID="7"), "spec.routerID"),
    ("BGPPeer", V2, peer(peerASN=64512, ebgpMultiHop=True), "ebgpMultiHop is for a peer of another"),
    ("BGPPeer", V2, peer(holdTime="2s"), "must be 0s (no timers) or at least 3s"),
    ("BGPPeer", V2, peer(holdTime="120"), "spec.holdTime"),
    ("BGPPeer", V2, peer(holdTime="9s", keepaliveTime="10s"), "keepaliveTime must not be longer"),
    ("BGPPeer", V2, peer(keepaliveTime="400ms"), "keepaliveTime alone"),
    ("BGPPeer", V2, peer(connectTime="0s"), "from 1s to 65535s"),
    ("BGPPeer", V2, peer(connectTime="1500ms"), "whole seconds"),
    ("BGPPeer", V2, peer(peerPort=0), "spec.peerPort"),
    ("BGPPeer", V2, peer(peerPort=16385), "spec.peerPort"),
    ("BGPPeer", V2, peer(localASN=0), "spec.localASN"),
    ("BGPPeer", V2, peer(password="x", passwordSecret={"name": "y"}), "either password or passwordSecret"),
    ("BGPPeer", V2, peer(**selecting("nodeSelectors", operator="near")), "Unsupported value"),
    ("BGPPeer", V1, peer(peerAddress=None), "spec.peerAddress: Required value"),
    ("BGPPeer", V1, peer(peerASN=0), "spec.peerASN"),
    ("BGPPeer", V1, peer(peerASN=64512, ebgpMultiHop=True), "ebgpMultiHop is for a peer of another"),
    ("BGPPeer", V1, peer(holdTime="2s"), "at least 3s"),
    ("BGPPeer", V1, peer(**selecting("nodeSelectors", operator="In", values=[])), "values"),
    ("BFDProfile", V1, {"receiveInterval": 9}, "receiveInterval"),
    ("BFDProfile", V1, {"transmitInterval": 60001}, "transmitInterval"),
    ("BFDProfile", V1, {"detectMultiplier": 1}, "detectMultiplier"),
    ("BFDProfile", V1, {"echoInterval": 5}, "echoInterval"),
    ("BFDProfile", V1, {"minimumTtl": 255}, "minimumTtl"),
    ("Community", V1, {"communities": [{"name": "a", "value": "64512"}]}, "not a BGP community"),
    ("Community", V1, {"communities": [{"name": "a", "value": "1:65536"}]}, "not a BGP community"),
    ("Community", V1, {"communities": [{"name": "a"}]}, "a community needs a value"),
    (
        "Community",
        V1,
        {"communities": [{"name": "a", "value": "1:1"}, {"name": "a", "value": "1:2"}]},
        "two communities have one name",
    ),
]  # fmt: skip


def tried(kube: ApiServer, kind: str, version: str, spec: Any) -> tuple[int, str]:
    """Status code and message, without making anything."""
    path = f"{collection(kind, version)}?dryRun=All&fieldValidation=Strict"
    answer = kube.send("POST", path, body(kind, spec, version))
    return answer.status_code, answer.json().get("message", "")


@pytest.mark.parametrize(("kind", "version", "spec"), ACCEPTED)
def test_accepted(kube: ApiServer, kind: str, version: str, spec: Any) -> None:
    assert tried(kube, kind, version, spec) == (201, "")


@pytest.mark.parametrize(("kind", "version", "spec", "told"), REFUSED)
def test_refused(kube: ApiServer, kind: str, version: str, spec: Any, told: str) -> None:
    status, message = tried(kube, kind, version, spec)
    assert status == 422 and told in message, message


def test_definitions_apply_without_warnings(kube: ApiServer) -> None:
    command = [str(kube.binaries / "kubectl"), f"--kubeconfig={kube.kubeconfig}", "apply", "-f", str(CRDS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and len(done.stdout.splitlines()) == len(PLURALS)
    for plural in PLURALS.values():
        found = kube.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}")
        conditions = {item["type"]: item["status"] for item in found["status"]["conditions"]}
        assert conditions.get("NonStructuralSchema", "False") == "False" and conditions["Established"] == "True"


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("IPAddressPool", ["Auto Assign", "Avoid Buggy IPs", "Addresses"]),
        ("L2Advertisement", ["IPAddressPools", "IPAddressPool Selectors", "Interfaces", "Node Selectors"]),
        ("BGPAdvertisement", ["IPAddressPools", "IPAddressPool Selectors", "Peers", "Node Selectors"]),
        ("BGPPeer", ["Address", "ASN", "BFD Profile", "Multi Hops"]),
        ("BFDProfile", ["Passive Mode", "Transmit Interval", "Receive Interval", "Multiplier"]),
        ("Community", ["Age"]),
        ("ServiceL2Status", ["Allocated Node", "Service Name", "Service Namespace"]),
        ("ServiceBGPStatus", ["Node", "Service Name", "Service Namespace"]),
        ("ConfigurationState", ["Result", "ErrorSummary", "Age"]),
    ],
)
def test_what_kubectl_get_shows(kube: ApiServer, kind: str, columns: list[str]) -> None:
    version = V2 if kind == "BGPPeer" else V1
    table = kube.send("GET", collection(kind, version), Accept="application/json;as=Table;v=v1;g=meta.k8s.io").json()
    assert [item["name"] for item in table["columnDefinitions"]] == ["Name", *columns]


def test_defaults(kube: ApiServer) -> None:
    def made(kind: str, spec: dict[str, Any], version: str = V1) -> dict[str, Any]:
        answer = kube.send("POST", f"{collection(kind, version)}?dryRun=All", body(kind, spec, version))
        found: dict[str, Any] = answer.json()["spec"]
        return found

    assert made("IPAddressPool", pool("10.0.0.0/24")) == pool("10.0.0.0/24", autoAssign=True, avoidBuggyIPs=False)
    assert made("BGPAdvertisement", {}) == {"aggregationLength": 32, "aggregationLengthV6": 128}
    assert made("BGPPeer", PEER, V2) == {**PEER, "peerPort": 179, "disableMP": False, "dualStackAddressFamily": False}
    assert made("L2Advertisement", {}) == {}


def test_both_versions_of_a_peer_are_one_object(kube: ApiServer) -> None:
    spec = {**PEER, "holdTime": "90s", "nodeSelectors": [SELECTOR]}
    answer = kube.send("POST", collection("BGPPeer", V1), body("BGPPeer", spec, V1, "old"))
    assert answer.status_code == 201 and "v1beta1 is deprecated, please use v1beta2" in answer.headers["Warning"]
    path = f"{collection('BGPPeer', V2)}/old"
    try:
        found = kube.get(path)["spec"]
        assert {key: found[key] for key in spec} == spec and found["peerPort"] == 179
        kube.patch(path, {"spec": {"vrf": "red", "holdTime": None}})
        seen = kube.get(f"{collection('BGPPeer', V1)}/old")["spec"]
        assert "vrf" not in seen and "holdTime" not in seen and seen["peerAddress"] == "10.0.0.1"
    finally:
        kube.delete(path)


def test_graceful_restart_cannot_be_changed(kube: ApiServer) -> None:
    path = collection("BGPPeer", V2)
    kube.create(path, body("BGPPeer", peer(enableGracefulRestart=True), V2, "gr"))
    try:
        answer = kube.send(
            "PATCH", f"{path}/gr", {"spec": {"enableGracefulRestart": False}}, "application/merge-patch+json"
        )
        assert answer.status_code == 422 and "delete the BGPPeer and create it anew" in answer.json()["message"]
    finally:
        kube.delete(f"{path}/gr")


@pytest.mark.parametrize("path", sorted(CONVERTED.glob("*.golden")), ids=lambda path: path.stem)
def test_converted_resources_are_accepted(kube: ApiServer, path: Any) -> None:
    command = [str(kube.binaries / "kubectl"), f"--kubeconfig={kube.kubeconfig}", "apply", "--dry-run=server"]
    text = path.read_text().replace("namespace: balancer", f"namespace: {NAMESPACE}")
    done = subprocess.run([*command, "-f", "-"], input=text, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert len(done.stdout.splitlines()) == len([item for item in load(text) if item is not None])
