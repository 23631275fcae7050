# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `lab` command on real hosts: power, cables, and an end that leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_home import Home

HOME = Home("lab-test")
NAME, ENVIRONMENT, LAB, lab = HOME.name, HOME.environment, HOME.program, HOME.lab
HOSTS = {"router", "client", "guest", "node1", "node2"}
UP = (
    "up", "--no-kubernetes", "--nodes=2", "--lan=192.168.77.0/24", "--os=raspbian,el", "--ipv6=fd77:0:0:1::/64",
    "--second-lan=192.168.78.0/24", "--second-gateway=192.168.78.200",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Traces:
    """What a lab could leave on the machine."""

    mounts: frozenset[str]
    interfaces: frozenset[str]
    namespaces: frozenset[str]
    cgroups: frozenset[str]
    firewall: str
    processes: frozenset[int]

    @classmethod
    def now(cls) -> Traces:
        def output(*command: str) -> str:
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout

        mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
        return cls(
            # Other tests on this machine have network namespaces, too, but none that are called as hosts of a lab.
            mounts=frozenset(mount for mount in mounts if not mount.startswith("/run/netns/")),
            interfaces=frozenset(os.listdir("/sys/class/net")),
            namespaces=frozenset(output("ip", "netns", "list").split()) & HOSTS,
            cgroups=frozenset(folder for folder, _, _ in os.walk("/sys/fs/cgroup") if f"lantern-{NAME}" in folder),
            firewall=output("nft", "list", "ruleset") + Path("/proc/net/ip_tables_names").read_text(),
            processes=frozenset(_processes_of_the_lab()),
        )


def _processes_of_the_lab() -> Iterator[int]:
    """Processes that were started with this lab's name or live in its cgroups; not those of the test itself."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            named = f"LAB_NAME={NAME}".encode() in process.joinpath("environ").read_bytes().split(b"\0")
            grouped = f"lantern-{NAME}" in process.joinpath("cgroup").read_text()
        except OSError:
            continue
        if named or grouped:
            yield int(process.name)


@pytest.fixture(scope="module")
def before() -> Traces:
    lab("down")
    return Traces.now()


@pytest.fixture(scope="module")
def home(before: Traces) -> Iterator[None]:
    """A small home with everything but a cluster."""
    lab(*UP)
    yield
    lab("down")


def pings(address: str, source: str = "client") -> bool:
    return lab("exec", source, "--", "ping", "-c3", "-i.3", "-W1", address, check=False).returncode == 0


def has_carrier(host: str) -> bool:
    return lab("exec", host, "--", "cat", "/sys/class/net/eth0/carrier", check=False).stdout.strip() == "1"


def test_everybody_has_the_planned_address(home: None) -> None:
    report = json.loads(lab("status", "--json").stdout)
    addresses = {host["name"]: host["addresses"] for host in report["hosts"]}
    client, guest = addresses.pop("client"), addresses.pop("guest")
    assert addresses == {
        "router": ["192.168.77.1/24", "fd77:0:0:1::1/64"],
        "node1": ["192.168.77.11/24", "fd77:0:0:1::11/64"],
        "node2": ["192.168.77.12/24", "fd77:0:0:1::12/64"],
    }
    assert [address.split(".")[2] for address in guest] == ["78"]
    assert int(client[0].split("/")[0].split(".")[3]) < 128
    assert lab("exec", "client", "--", "dig", "+short", "node2.home.arpa").stdout == "192.168.77.12\n"


def test_up_again_is_the_same_lab_and_other_settings_are_refused(home: None) -> None:
    boot = lab("exec", "router", "--", "stat", "-c", "%Y", "/proc/1").stdout
    lab(*UP)
    assert lab("exec", "router", "--", "stat", "-c", "%Y", "/proc/1").stdout == boot
    refused = lab("up", "--no-kubernetes", "--nodes=3", check=False)
    assert refused.returncode == 1
    assert "other settings" in refused.stderr


def test_exec_passes_input_output_and_status_through(home: None) -> None:
    program = "import sys; print(sys.argv[1]); sys.exit(7)"
    done = lab("exec", "client", "--", "python3", "-", "word", stdin=program, check=False)
    assert (done.returncode, done.stdout) == (7, "word\n")
    assert "no host 'attic'" in lab("exec", "attic", "--", "true", check=False).stderr


def test_pulling_a_cable_takes_the_carrier_and_a_dead_port_keeps_it(home: None) -> None:
    assert pings("192.168.77.11")
    lab("cable", "node1", "cut")
    assert not has_carrier("node1")
    assert not pings("192.168.77.11")
    lab("cable", "node1", "join")
    assert has_carrier("node1")
    assert pings("192.168.77.11")
    lab("cable", "node1", "cut", "--keep-carrier")
    assert has_carrier("node1")
    assert not pings("192.168.77.11")
    lab("cable", "node1", "join")
    assert pings("192.168.77.11")


def test_a_host_without_power_is_gone_and_comes_back_with_its_files(home: None) -> None:
    lab("exec", "node2", "--", "sh", "-c", "echo kept > /etc/kept")
    lab("power", "node2", "off")
    assert not pings("192.168.77.12")
    assert lab("exec", "node2", "--", "true", check=False).returncode != 0
    lab("power", "node2", "on")
    wait_for_address("node2")
    assert pings("192.168.77.12")
    assert lab("exec", "node2", "--", "cat", "/etc/kept").stdout == "kept\n"


def round_trips(address: str, count: int, gap: float = 0.01) -> list[float]:
    """Seconds of each echo that was answered, in the order of the requests."""
    done = lab("exec", "client", "--", "ping", "-n", f"-c{count}", f"-i{gap}", "-W2", address, check=False)
    return [float(time) / 1000 for time in re.findall(r" time=([\d.]+) ms", done.stdout)]


def test_a_bad_cable_delays_and_loses_until_it_is_cleared(home: None) -> None:
    lab("cable", "node1", "impair", "--delay=30ms", "--jitter=10ms", "--direction=in")
    lab("cable", "node1", "impair", "--delay=10ms", "--loss=20%", "--seed=7", "--direction=out")
    times = round_trips("192.168.77.11", 300)
    assert 300 * 0.7 < len(times) < 300 * 0.9
    assert min(times) >= 0.03
    # Not all: this machine may be busy.
    assert statistics.median(times) < 0.06
    assert "in: 30 ms ± 10 ms; out: 10 ms, 20 % lost" in lab("status").stdout
    lab("cable", "node1", "clear")
    times = round_trips("192.168.77.11", 20)
    assert len(times) == 20
    assert statistics.median(times) < 0.005
    assert "bad cable" not in lab("status").stdout


def test_a_bad_cable_keeps_the_order_of_frames_and_their_bytes_at_thousands_a_second(home: None) -> None:
    lab("cable", "node1", "impair", "--delay=20ms", "--jitter=20ms")
    sink = subprocess.Popen(
        [LAB, "exec", "node1", "--", "python3", "-c", COUNT_DATAGRAMS],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sink.stdout is not None
    assert sink.stdout.readline() == "listening\n"
    lab("exec", "client", "--", "python3", "-", "192.168.77.11", stdin=SEND_DATAGRAMS)
    received, _ = sink.communicate(timeout=30)
    lab("cable", "node1", "clear")
    numbers = json.loads(received)
    assert numbers == sorted(numbers)
    assert len(numbers) > 9_900


COUNT_DATAGRAMS = """
import json, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
s.bind(("", 9))
print("listening", flush=True)
numbers = []
try:
    while True:
        data = s.recv(2000)
        s.settimeout(2)
        assert data[4:] == 100 * data[:4]
        numbers.append(int.from_bytes(data[:4], "big"))
except TimeoutError:
    print(json.dumps(numbers))
"""
SEND_DATAGRAMS = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
start = time.monotonic()
for number in range(10_000):
    s.sendto(101 * number.to_bytes(4, "big"), (sys.argv[1], 9))
    time.sleep(max(0, start + number / 4000 - time.monotonic()))
"""


def test_a_bad_cable_can_be_cut_and_joined_and_survives_a_power_cut(home: None) -> None:
    lab("cable", "node1", "impair", "--delay=50")
    for _ in range(2):
        lab("cable", "node1", "cut")
        assert not has_carrier("node1")
        assert not pings("192.168.77.11")
        lab("cable", "node1", "join")
        assert has_carrier("node1")
        assert min(round_trips("192.168.77.11", 3)) >= 0.1
    lab("cable", "node1", "cut", "--keep-carrier")
    assert has_carrier("node1")
    assert not pings("192.168.77.11")
    lab("cable", "node1", "join")
    lab("power", "node1", "reset")
    wait_for_address("node1")
    assert min(round_trips("192.168.77.11", 3)) >= 0.1
    lab("power", "node1", "off")
    lab("cable", "node1", "clear")
    lab("power", "node1", "on")
    wait_for_address("node1")
    assert min(round_trips("192.168.77.11", 3)) < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("impair",), "impair how"),
        (("impair", "--seed=3"), "impair how"),
        (("impair", "--loss=101%"), "loss 101 %"),
        (("cut", "--loss=5%"), "--loss goes with impair"),
        (("impair", "--delay=soon"), "--delay"),
    ],
)
def test_orders_that_make_no_sense_are_refused_by_name(home: None, arguments: tuple[str, ...], message: str) -> None:
    done = lab("cable", "node1", *arguments, check=False)
    assert done.returncode != 0
    assert message in done.stderr


def wait_for_address(host: str) -> None:
    until = "until ip -4 addr show eth0 | grep -q inet; do sleep .1; done"
    lab("exec", host, "--", "timeout", "30", "sh", "-c", until)


def boot_id(host: str) -> str:
    return lab("exec", host, "--", "cat", "/proc/sys/kernel/random/boot_id", check=False).stdout


@pytest.mark.parametrize("command", ["reboot", "shutdown -r now"])
def test_a_host_that_reboots_comes_back_by_itself(home: None, command: str) -> None:
    before = boot_id("node2")
    lab("exec", "node2", "--", "sh", "-c", f"echo kept > /etc/kept; {command}", check=False)
    deadline = time.monotonic() + 30
    while boot_id("node2") in (before, ""):
        assert time.monotonic() < deadline, "node2 does not come back"
        time.sleep(0.2)
    wait_for_address("node2")
    assert lab("exec", "node2", "--", "cat", "/etc/kept").stdout == "kept\n"
    assert len(before.strip()) == 36


def test_a_host_that_switches_itself_off_stays_off(home: None) -> None:
    lab("exec", "node2", "--", "systemctl", "poweroff", check=False)

    def state() -> str:
        report = json.loads(lab("status", "--json").stdout)
        return next(str(host["power"]) for host in report["hosts"] if host["name"] == "node2")

    deadline = time.monotonic() + 30
    while state() == "on":
        assert time.monotonic() < deadline, "node2 is not off"
        time.sleep(0.2)
    time.sleep(1)
    assert state() == "off"
    lab("power", "node2", "on")
    wait_for_address("node2")


def test_a_new_prefix_reaches_every_host_and_the_old_one_is_of_the_past(home: None) -> None:
    assert pings("fd77:0:0:1::11")
    lab("prefix", "fd99:0:0:5::/64")
    assert lab("prefix").stdout == "fd99:0:0:5::/64\n"
    for host in ("node1", "node2"):
        rows = lab("exec", host, "--", "ip", "-6", "-o", "address", "show", "dev", "eth0", "scope", "global").stdout
        deprecated = {row.split()[3]: "deprecated" in row for row in rows.splitlines()}
        number = 10 + int(host[-1])
        assert deprecated == {f"fd99:0:0:5::{number}/64": False, f"fd77:0:0:1::{number}/64": True}
    assert pings("fd99:0:0:5::12")
    lab("power", "router", "reset")
    wait_for_address("router")
    addresses = lab(
        "exec", "router", "--", "ip", "-6", "-o", "address", "show", "dev", "eth0", "scope", "global"
    ).stdout
    assert "fd99:0:0:5::1/64" in addresses
    assert "fd77" not in addresses
    assert "fe80::/64" in lab("prefix", "fe80::/64", check=False).stderr


def test_the_guest_is_behind_the_router_and_was_told_a_wrong_gateway(home: None) -> None:
    assert "default via 192.168.78.200" in lab("exec", "guest", "--", "ip", "route").stdout
    assert not pings("192.168.77.11", source="guest")
    lab("exec", "guest", "--", "ip", "route", "replace", "default", "via", "192.168.78.1")
    assert pings("192.168.77.11", source="guest")
    assert lab("exec", "guest", "--", "dig", "+short", "node2.home.arpa").stdout == "192.168.77.12\n"
    trace = lab("exec", "node1", "--", "ping", "-c1", "-R", "-n", guest_address()).stdout
    assert "192.168.78.1\n" in trace, "the way leads through the router's second port"


def guest_address() -> str:
    report = json.loads(lab("status", "--json").stdout)
    return str(next(host["addresses"][0] for host in report["hosts"] if host["name"] == "guest")).split("/")[0]


FACTS = """
- hosts: nodes
  become: true
  tasks:
    - ansible.builtin.debug:
        msg: "{{ inventory_hostname }} {{ ansible_facts.os_family }} {{ ansible_facts.distribution }}
          {{ ansible_facts.distribution_major_version }} {{ ansible_facts.pkg_mgr }}"
    - ansible.builtin.dnf: {name: [iptables, conntrack-tools]}
      when: ansible_facts.pkg_mgr == 'dnf'
      loop: [first, second]
    - ansible.builtin.systemd_service: {name: "{{ item }}", state: restarted}
      loop: "{{ ['sshd', 'firewalld'] if ansible_facts.os_family == 'RedHat' else ['ssh'] }}"
"""


def test_ansible_takes_each_node_for_its_operating_system(home: None, tmp_path: Path) -> None:
    playbook = tmp_path / "facts.yml"
    playbook.write_text(FACTS)
    output = lab("ansible-playbook", str(playbook)).stdout
    # 32-bit Raspberry Pi OS is Debian to Ansible as well.
    assert "node1 Debian Debian 12 apt" in output
    assert "node2 RedHat CentOS 9 dnf" in output
    assert "changed: [node2] => (item=first)" in output
    assert "ok: [node2] => (item=second)" in output
    assert lab("exec", "node2", "--", "rpm", "-q", "iptables-nft").stdout.startswith("iptables-nft-1.8")
    assert lab("exec", "node2", "--", "firewall-cmd", "--state").stdout == "running\n"


def test_a_raspberry_pi_says_what_it_is_and_boots_from_a_command_line_file(home: None) -> None:
    model = lab("exec", "node1", "--", "cat", "/sys/firmware/devicetree/base/model").stdout
    assert model.startswith("Raspberry Pi 4") and model.endswith("\0")
    assert "ID=raspbian" in lab("exec", "node1", "--", "cat", "/etc/os-release").stdout
    line = lab("exec", "node1", "--", "cat", "/boot/firmware/cmdline.txt").stdout
    assert "rootwait" in line and "cgroup" not in line
    assert lab("exec", "node2", "--", "test", "-e", "/sys/firmware/devicetree", check=False).returncode == 1


@pytest.mark.parametrize("setting", ["vm/swappiness", "vm/overcommit_memory", "kernel/panic", "fs/file-max"])
def test_a_host_cannot_change_the_machines_sysctls(home: None, setting: str) -> None:
    machine = Path("/proc/sys", setting)
    value = machine.read_text()
    lab("exec", "node1", "--", "sh", "-c", f"echo 7 > /proc/sys/{setting}", check=False)
    assert machine.read_text() == value


SWAPOFF = (
    "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); c.swapoff(b'/'); exit(os.strerror(ctypes.get_errno()))"
)


@pytest.mark.parametrize("command", ["date -s 2020-01-01", "echo h > /proc/sysrq-trigger", f'python3 -c "{SWAPOFF}"'])
def test_a_host_cannot_touch_the_machines_clock_kernel_or_swap(home: None, command: str) -> None:
    done = lab("exec", "node1", "--", "sh", "-c", command, check=False)
    assert done.returncode != 0
    assert any(text in done.stderr for text in ("not permitted", "Read-only", "cannot create")), done.stderr


def test_a_host_can_change_its_own_network_settings(home: None) -> None:
    lab("exec", "node1", "--", "sysctl", "-w", "net.ipv4.conf.all.arp_ignore=1")
    machine = Path("/proc/sys/net/ipv4/conf/all/arp_ignore").read_text()
    assert lab("exec", "node1", "--", "cat", "/proc/sys/net/ipv4/conf/all/arp_ignore").stdout == "1\n"
    assert machine == "0\n"


def test_down_leaves_nothing(before: Traces) -> None:
    lab(*UP)
    lab("cable", "node1", "impair", "--loss=5")
    running = Traces.now()
    assert running.processes and running.cgroups, "the checks see a running lab"
    assert running.interfaces == before.interfaces, "no link of a lab is in the machine's own network"
    assert running.mounts == before.mounts, "no mount of a lab is seen by the machine"
    lab("down")
    assert Traces.now() == before


def test_an_up_that_was_killed_leaves_nothing_after_down_and_can_be_started_again(before: Traces) -> None:
    with subprocess.Popen([LAB, "up", "--nodes=1"], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        for line in iter(lambda: up.stdout.read(12) if up.stdout else "", ""):
            if "kubeadm" in line:
                break
        up.send_signal(signal.SIGKILL)
    assert Traces.now().processes, "the half-made lab is still there"
    lab("down")
    assert Traces.now() == before
    lab("up", "--no-kubernetes", "--nodes=1")
    assert json.loads(lab("status", "--json").stdout)["complete"]
    lab("down")
    assert Traces.now() == before
