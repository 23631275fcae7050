# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a node, what is judged lacking, and what is advised; WiFi and a Pi by their files."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._node import advice, findings, links, survey, table
from ansible_collections.homelab.lantern.plugins.module_utils._node.host import NOT_FOUND, Host, Output

LAN = ("192.168.2.0/24",)
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
"""


class Pi:
    """The files of a Raspberry Pi with cable and WiFi, below a folder, and what its programs answer."""

    def __init__(self, root):
        self.root = root
        self.answers = {}
        self.write("/etc/os-release", 'ID=raspbian\nPRETTY_NAME="Raspbian GNU/Linux 12 (bookworm)"\n')
        self.write("/sys/firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.4\0")
        self.write("/boot/firmware/cmdline.txt", "console=tty1 root=PARTUUID=1\n")
        self.write("/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t2\t1\t1\nmemory\t0\t90\t0\n")
        self.write("/proc/swaps", "Filename Type Size Used Priority\n/var/swap file 102396 0 -2\n")
        self.write("/proc/net/route", ROUTES)
        self.write("/proc/sys/kernel/random/boot_id", "4242\n")
        self.write("/proc/1/comm", "systemd\n")
        for name in ("lo", "eth0", "wlan0", "cni0"):
            self.write(f"/sys/class/net/{name}/flags", "0x1003\n")
        self.write("/sys/class/net/eth0/device/uevent", "")
        self.write("/sys/class/net/wlan0/phy80211/name", "phy0\n")
        self.write("/sys/class/net/wlan0/device/uevent", "")
        os.symlink("/sys/bus/sdio/drivers/brcmfmac", f"{root}/sys/class/net/wlan0/device/driver")
        self.write("/sys/class/net/cni0/bridge/bridge_id", "8000\n")
        self.addresses(eth0="192.168.2.11/24", wlan0="192.168.2.50/24", cni0="10.244.0.1/24")

    def write(self, path, text):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def addresses(self, **by_name):
        rows = [{"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]}]
        for name, address in by_name.items():
            local, length = address.split("/")
            rows.append({"ifname": name, "addr_info": [{"local": local, "prefixlen": int(length), "scope": "global"}]})
        self.answers["ip -json address show"] = Output(0, json.dumps(rows), "")

    def host(self):
        def run(command):
            return self.answers.get(" ".join(command), Output(NOT_FOUND, "", "not installed"))

        return Host(run, lambda url: self.answers.get(url, ""), str(self.root))

    def seen(self, lans=LAN):
        return survey.collect(self.host(), lans)

    def kubelet(self, mode="iptables"):
        self.write("/proc/7/comm", "kubelet\n")
        self.answers["kubelet --version"] = Output(0, "Kubernetes v1.34.4\n", "")
        self.answers[survey.PROXY_MODE] = mode


@pytest.fixture
def pi(tmp_path):
    return Pi(tmp_path)


def by_name(seen):
    return {link["name"]: link for link in seen["links"]}


def test_interfaces(pi):
    seen = by_name(pi.seen())
    assert {name: (link["kind"], link["lan"]) for name, link in seen.items()} == {
        "eth0": ("wired", True),
        "wlan0": ("wifi", True),
        "cni0": ("bridge", False),
    }
    assert seen["wlan0"]["driver"] == "brcmfmac"
    assert not seen["wlan0"]["promiscuous"]
    pi.write("/sys/class/net/wlan0/flags", "0x1103\n")
    assert by_name(pi.seen())["wlan0"]["promiscuous"]


def test_without_a_lan_the_default_route_tells(pi):
    assert [link["name"] for link in pi.seen(())["links"] if link["lan"]] == ["wlan0"]
    assert links.default_route("") == ""


def test_the_machine(pi):
    seen = pi.seen()
    machine = "Raspberry Pi 4 Model B Rev 1.4"
    assert seen["system"] == {"name": "Raspbian GNU/Linux 12 (bookworm)", "machine": machine, "raspberry_pi": True}
    assert (seen["boot_id"], seen["memory_cgroup"], seen["swap"]) == ("4242", False, ["/var/swap"])
    assert seen["boot_command_line"] == "/boot/firmware/cmdline.txt"
    assert seen["kubernetes"]["distribution"] == ""


def test_the_memory_cgroup_of_the_newer_hierarchy(pi):
    pi.write("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
    assert pi.seen()["memory_cgroup"]


@pytest.mark.parametrize(
    ("settings", "refused"), [("failSwapOn: true\n", True), ("failSwapOn: false\n", False), ("", True)]
)
def test_kubeadms_kubelet(pi, settings, refused):
    pi.kubelet("ipvs")
    pi.write("/var/lib/kubelet/config.yaml", settings)
    pi.write("/etc/kubernetes/admin.conf", "")
    assert pi.seen()["kubernetes"] == {
        "distribution": "kubeadm",
        "version": "v1.34.4",
        "running": True,
        "proxy_mode": "ipvs",
        "swap_refused": refused,
        "kubeconfig": "/etc/kubernetes/admin.conf",
    }


def test_k3s(pi):
    pi.write("/var/lib/rancher/k3s/server/token", "")
    pi.write("/proc/9/comm", "k3s-server\n")
    pi.answers["k3s --version"] = Output(0, "k3s version v1.30.2+k3s1 (aa4794b3)\ngo version go1.22.4\n", "")
    seen = pi.seen()["kubernetes"]
    assert (seen["distribution"], seen["version"], seen["running"]) == ("k3s", "v1.30.2+k3s1", True)
    assert not seen["swap_refused"]


def test_a_pi_as_it_comes_lacks_several_things(pi):
    pi.kubelet()
    found = {one.subject: one for one in findings.findings(pi.seen())}
    assert set(found) - {"clock"} == {"memory cgroup", "swap", "WiFi"}
    assert "adds cgroup_enable=memory to /boot/firmware/cmdline.txt" in found["memory cgroup"].remedy
    assert "wlan0 (brcmfmac)" in found["WiFi"].text and "promiscuous" in found["WiFi"].remedy
    assert "/var/swap" in found["swap"].text


def test_what_was_repaired_is_told_no_more_and_a_cable_is_still_better(pi):
    pi.kubelet()
    pi.write("/proc/cgroups", "memory\t0\t90\t1\n")
    pi.write("/proc/swaps", "Filename Type Size Used Priority\n")
    pi.write("/sys/class/net/wlan0/flags", "0x1103\n")
    found = {one.subject: one.remedy for one in findings.findings(pi.seen())}
    found.pop("clock", None)
    assert found == {"WiFi": "A cable is the cure."}


def test_after_a_useless_reboot_the_file_is_doubted(pi):
    pi.write("/boot/firmware/cmdline.txt", "console=tty1 cgroup_enable=memory\n")
    assert "the firmware reads another file" in findings.findings(pi.seen())[0].remedy


def test_two_interfaces_in_one_network_must_not_answer_for_each_other(pi):
    advised = {one.name: one.value for one in advice.settings(pi.seen(), ipv6=False)}
    assert advised == {
        "net.ipv4.conf.all.arp_ignore": "1",
        "net.ipv4.conf.all.arp_announce": "2",
        "net.ipv4.conf.eth0.rp_filter": "2",
        "net.ipv4.conf.wlan0.rp_filter": "2",
    }
    pi.write("/sys/class/net/cali123/flags", "0x1003\n")
    calico = [one.name for one in advice.settings(pi.seen(), ipv6=False)]
    assert [name for name in calico if "rp_filter" in name] == []


def test_one_interface_needs_nothing_but_in_ipvs_mode(pi):
    pi.addresses(eth0="192.168.2.11/24", wlan0="10.9.9.9/24")
    assert advice.settings(pi.seen(), ipv6=False) == []
    pi.kubelet("ipvs")
    assert [one.name for one in advice.settings(pi.seen(), ipv6=False)] == [
        "net.ipv4.conf.all.arp_ignore",
        "net.ipv4.conf.all.arp_announce",
    ]


def test_ipv6_interfaces_keep_their_router_before_forwarding_is_switched_on(pi):
    pi.addresses(eth0="192.168.2.11/24")
    pi.write("/proc/sys/net/ipv6/conf/eth0/accept_ra", "1\n")
    pi.write("/proc/sys/net/ipv6/conf/wlan0/accept_ra", "1\n")
    wanted = ["net.ipv6.conf.eth0.accept_ra", "net.ipv6.conf.all.forwarding"]
    assert [one.name for one in advice.settings(pi.seen(), ipv6=True)] == wanted
    # as it is after that, and where a program of the system has taken router advertisements over
    pi.write("/proc/sys/net/ipv6/conf/eth0/accept_ra", "2\n")
    assert [one.name for one in advice.settings(pi.seen(), ipv6=True)] == wanted
    pi.write("/proc/sys/net/ipv6/conf/eth0/accept_ra", "0\n")
    assert [one.name for one in advice.settings(pi.seen(), ipv6=True)] == wanted[1:]


def test_the_table(pi):
    pi.kubelet()
    seen = pi.seen()
    seen["clock"] = {"synchronized": False, "service": "chronyd"}
    lines = table.aligned([table.cells("node1", seen)])
    assert lines[0].split()[:2] == ["node", "system"]
    assert "Raspberry Pi 4 Model B Rev 1.4, Raspbian" in lines[1]
    assert "kubeadm v1.34.4 iptables" in lines[1] and "eth0 (wired), wlan0 (wifi)" in lines[1]
    told = table.complaints("node1", [one._asdict() for one in findings.findings(seen)])
    assert any(line.startswith("node1: clock is not synchronized") and "chronyd" in line for line in told)


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        ({"synchronized": True, "service": "chronyd"}, None),
        # A container, or a kernel that does not tell.
        ({"synchronized": None, "service": ""}, None),
        ({"synchronized": False, "service": "systemd-timesyn"}, "See why systemd-timesyn does not reach a server."),
        ({"synchronized": False, "service": ""}, "Install systemd-timesyncd or chrony."),
    ],
)
def test_a_clock_is_complained_of_only_when_it_is_known_to_be_off(pi, clock, words):
    told = {one.subject: one.remedy for one in findings.findings(dict(pi.seen(), clock=clock))}
    assert told.get("clock") == words


@pytest.mark.parametrize("name", ["chronyd", "ntpd", "systemd-timesyn"])
def test_what_keeps_the_clock(pi, name):
    assert pi.seen()["clock"]["service"] == ""
    pi.write("/proc/8/comm", f"{name}\n")
    assert pi.seen()["clock"]["service"] == name


def test_this_machines_clock_is_known_or_unknown():
    assert survey.synchronized() in (True, False, None)
