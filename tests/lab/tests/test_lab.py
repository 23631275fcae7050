# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `lab` command on real hosts: power, cables, and an end that leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[1] / "lab"
NAME = "lab-test"
ENVIRONMENT = {**os.environ, "LAB_NAME": NAME}


def lab(*arguments: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [LAB, *arguments], env=ENVIRONMENT, capture_output=True, text=True, input=stdin or "", cwd="/", timeout=300
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


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

        return cls(
            mounts=frozenset(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
            interfaces=frozenset(os.listdir("/sys/class/net")),
            namespaces=frozenset(output("ip", "netns", "list").split()),
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
    """A small home without a cluster."""
    lab("up", "--no-kubernetes", "--nodes=2", "--lan=192.168.77.0/24")
    yield
    lab("down")


def pings(address: str) -> bool:
    return lab("exec", "client", "--", "ping", "-c1", "-W1", address, check=False).returncode == 0


def has_carrier(host: str) -> bool:
    return lab("exec", host, "--", "cat", "/sys/class/net/eth0/carrier", check=False).stdout.strip() == "1"


def test_everybody_has_the_planned_address(home: None) -> None:
    report = json.loads(lab("status", "--json").stdout)
    addresses = {host["name"]: host["addresses"] for host in report["hosts"]}
    client = addresses.pop("client")
    assert addresses == {
        "router": ["192.168.77.1/24"],
        "node1": ["192.168.77.11/24"],
        "node2": ["192.168.77.12/24"],
    }
    assert int(client[0].split("/")[0].split(".")[3]) < 128
    assert lab("exec", "client", "--", "dig", "+short", "node2.home.arpa").stdout == "192.168.77.12\n"


def test_up_again_is_the_same_lab_and_other_settings_are_refused(home: None) -> None:
    boot = lab("exec", "router", "--", "stat", "-c", "%Y", "/proc/1").stdout
    lab("up", "--no-kubernetes", "--nodes=2", "--lan=192.168.77.0/24")
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
    until_addressed = "until ip -4 addr show eth0 | grep -q inet; do sleep .1; done"
    lab("exec", "node2", "--", "timeout", "30", "sh", "-c", until_addressed)
    assert pings("192.168.77.12")
    assert lab("exec", "node2", "--", "cat", "/etc/kept").stdout == "kept\n"


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
    lab("up", "--no-kubernetes", "--nodes=2", "--lan=192.168.77.0/24")
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
