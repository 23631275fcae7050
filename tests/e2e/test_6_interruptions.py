# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook dies in the middle of each stage, one run after the other; disks are full. The next run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import PROJECT, Home

# The task that runs when ansible-playbook is killed, and how long it has been running then.
INTERRUPTIONS = (
    ("Keep dnsmasq's DHCP ranges out of the pools", 0.4),
    ("Ask the LAN's DHCP servers and who has addresses of the pools", 1.0),
    ("Load them, now, at boot and when nftables.service has emptied all tables", 0.2),
    ("Copy the archive", 0.3),
    ("Import it", 0.5),
    ("Apply namespace, kinds and rights", 0.3),
    ("Apply the pools", 0.2),
    ("Wait until they are ready", 1.0),
    ("Look", 0.5),
)
_NEVER_SECONDS = 300.0
TAKEN_OUT = ("--tags=prepare", "--extra-vars", json.dumps({"prepare_reboot": "always", "prepare_drain": True}))
MADE_SCHEDULABLE = "homelab.lantern.prepare : Make schedulable again what an interrupted run has left"
LOSE_IMAGE = "ctr -n k8s.io images ls -q | grep localhost/lantern | xargs ctr -n k8s.io images rm"
WHOLE_RANGE = "192.168.2.2,192.168.2.254,12h"


@pytest.fixture(scope="module")
def bare() -> Iterator[Home]:
    """Nodes and a Service, and nothing of Lantern yet."""
    home = Home("e2e-interruptions")
    home.begin("--nodes=2")
    yield home
    home.lab("down")


def interrupted(home: Home, task: str, wait: Callable[[], object], *arguments: str) -> str:
    """Run site.yml and kill it when a task has begun and `wait` is over; what it had printed."""
    command = [str(PROJECT / "tests/lab/lab"), "ansible-playbook", "playbooks/site.yml", *arguments]
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        # Without skipped hosts a task is named when its first host is done with it.
        env={**home.environment, "PYTHONUNBUFFERED": "1", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said, deadline = "", time.monotonic() + _NEVER_SECONDS
    for line in process.stdout:
        said += line
        if line.startswith("TASK [") and f": {task}]" in line:
            break
        assert time.monotonic() < deadline, said
    else:
        raise AssertionError(f"{task!r} did not come:\n{said}")
    try:
        wait()
    finally:
        kill_family(process.pid)
    process.wait()
    process.stdout.close()
    return said


def kill_family(pid: int) -> None:
    """A process and all that came of it: each of Ansible's workers has a session of its own."""
    family = [pid]
    for parent in family:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                family += map(int, (thread / "children").read_text().split())
    for member in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _NEVER_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.mark.parametrize(("task", "seconds"), INTERRUPTIONS)
def test_a_run_that_is_killed_leaves_a_home_that_works(bare: Home, task: str, seconds: float) -> None:
    """Each starts where the one before it was killed."""
    said = interrupted(bare, task, lambda: time.sleep(seconds))
    assert "fatal:" not in said and "failed=1" not in said, said
    assert "active" in bare.on("router", "systemctl is-active dnsmasq")
    bare.on("router", "dnsmasq --test")
    bare.kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=30s")


def test_the_next_run_brings_everything_to_its_end(bare: Home) -> None:
    run = bare.site()
    assert run.returncode == 0, run.output
    assert "The lantern is lit." in bare.curl(bare.service_address())


def test_nothing_is_left_of_the_interrupted_ones(bare: Home) -> None:
    for node in ("node1", "node2"):
        assert bare.on(node, "ls /var/tmp | grep lantern || true") == ""
    again = bare.site()
    assert again.changed == {}, {host: again.task_changed(host) for host in again.changed}


def unschedulable(home: Home) -> list[str]:
    return [node["metadata"]["name"] for node in home.get("nodes")["items"] if node["spec"].get("unschedulable")]


def boot(home: Home, node: str) -> str:
    """Nothing while the node is off."""
    return home.on(node, "cat /proc/sys/kernel/random/boot_id", check=False).strip()


def is_back(home: Home, node: str, before: str) -> bool:
    """Its kubelet has told the cluster of a new boot."""
    now = boot(home, node)
    return now not in ("", before) and home.get("node", node)["status"]["nodeInfo"]["bootID"] == now


def next_run_ends_it(home: Home) -> None:
    """It reboots and drains nothing itself, and the one after it has nothing to do."""
    assert unschedulable(home) == ["node2"]
    run = home.site()
    assert run.returncode == 0, run.output
    assert MADE_SCHEDULABLE in [task for host in run.changed for task in run.task_changed(host)], run.output
    home.kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=30s")
    assert unschedulable(home) == []
    assert "homelab.lantern/cordoned" not in home.get("node", "node2")["metadata"].get("annotations", {})
    assert "The lantern is lit." in home.curl(home.service_address())
    again = home.site()
    assert again.changed == {}, {host: again.task_changed(host) for host in again.changed}


def test_a_run_that_is_killed_while_pods_leave_a_node_leaves_it_to_the_next_one(bare: Home) -> None:
    """A budget lets none of them go, so that they are leaving for long enough."""

    def is_cordoned() -> bool:
        return unschedulable(bare) == ["node2"]

    budget = ("poddisruptionbudget", "web", "--namespace=demo")
    bare.kubectl("create", *budget, "--selector=app=web", "--max-unavailable=0")
    try:
        said = interrupted(
            bare, "Send its pods away: node2", lambda: until(is_cordoned, "node2 is taken out"), *TAKEN_OUT
        )
    finally:
        bare.kubectl("delete", *budget)
    assert "fatal:" not in said and "failed=1" not in said, said
    next_run_ends_it(bare)


def test_a_run_that_is_killed_while_a_node_reboots_leaves_it_to_the_next_one(bare: Home) -> None:
    before = boot(bare, "node2")

    def is_going() -> bool:
        return boot(bare, "node2") != before

    said = interrupted(bare, "Reboot: node2", lambda: until(is_going, "node2 goes down"), *TAKEN_OUT)
    assert "fatal:" not in said and "failed=1" not in said, said
    until(lambda: is_back(bare, "node2", before), "node2 comes back")
    bare.kubectl("wait", "node/node2", "--for=condition=Ready", "--timeout=120s")
    next_run_ends_it(bare)


# Host, folder on the full disk, what makes the stage write there, the stage.
FULL_DISKS = (
    ("node2", "/var/tmp", LOSE_IMAGE, "deploy"),
    ("node2", "/etc/sysctl.d", "true", "prepare"),
    ("router", "/var/lib/lantern", f"sed -i 's/^dhcp-range=.*/dhcp-range={WHOLE_RANGE}/' /etc/dnsmasq.conf", "reserve"),
)  # fmt: skip


@pytest.mark.parametrize(("host", "folder", "damage", "stage"), FULL_DISKS)
def test_a_full_disk_is_named_and_harms_nothing(bare: Home, host: str, folder: str, damage: str, stage: str) -> None:
    before = bare.on("router", "cat /etc/dnsmasq.conf")
    bare.on(host, damage)
    damaged = bare.on("router", "cat /etc/dnsmasq.conf")
    bare.on(host, f"mkdir -p {folder}; mount -t tmpfs -o size=4k full {folder}")
    bare.on(host, f"dd if=/dev/zero of={folder}/full", check=False)
    try:
        refused = bare.site(f"--tags={stage}")
    finally:
        bare.on(host, f"umount {folder}")
    assert refused.returncode != 0, refused.output
    assert "No space left on device" in refused.output and folder in refused.output, refused.output
    assert bare.on("router", "cat /etc/dnsmasq.conf") == damaged
    assert "The lantern is lit." in bare.curl(bare.service_address())
    mended = bare.site()
    assert mended.returncode == 0, mended.output
    assert bare.on("router", "cat /etc/dnsmasq.conf") == before
