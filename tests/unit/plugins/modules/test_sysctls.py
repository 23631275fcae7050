# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module sysctls: decisions, and a real run in a network namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.homelab.lantern.plugins.modules import sysctls

ROOT = Path(__file__).resolve().parents[4]
FORWARD = "net.ipv4.ip_forward"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.100/arp_ignore", "/proc/sys/net/ipv4/conf/eth0.100/arp_ignore"),
        ("net.ipv4.conf.eth0/100.arp_ignore", "/proc/sys/net/ipv4/conf/eth0.100/arp_ignore"),
    ],
)
def test_where_a_setting_lives(name, path):
    assert sysctls.live_path(name) == path


def test_only_what_differs_is_changed():
    assert sysctls.live_changes({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {}) == {"b": "2"}


def test_a_setting_no_longer_wanted_returns_unless_somebody_changed_it():
    record = {"a": {"before": "0", "set": "1"}, "b": {"before": "0", "set": "1"}, "c": {"before": "1", "set": "1"}}
    assert sysctls.live_changes({}, {"a": "1", "b": "2", "c": "1"}, record) == {"a": "0"}


def test_the_first_value_found_is_the_one_remembered():
    first = sysctls.new_record({"a": "1"}, {"a": "0"}, {})
    assert first == {"a": {"before": "0", "set": "1"}}
    assert sysctls.new_record({"a": "2"}, {"a": "1"}, first) == {"a": {"before": "0", "set": "2"}}


def test_white_space_is_no_difference():
    assert sysctls.normal("4096\t131072  6291456\n") == "4096 131072 6291456"


def _run(folder, values, state="present"):
    """The module's result, the live value, and the file; in a namespace where forwarding was off at first."""
    arguments = {
        "state": state,
        "values": values,
        "path": str(folder / "60-lantern.conf"),
        "record": str(folder / "state" / "sysctls.json"),
    }
    link = folder / "collections" / "ansible_collections" / "homelab"
    if not link.exists():
        link.mkdir(parents=True)
        (link / "lantern").symlink_to(ROOT)
    # ansible-test hides most of Ansible by PYTHONPATH, as modules on a target see none of it.
    environment = {n: value for n, value in os.environ.items() if not n.startswith(("ANSIBLE_", "PYTHONPATH"))}
    environment.update(HOME=str(folder), ANSIBLE_COLLECTIONS_PATH=str(folder / "collections"), ANSIBLE_NOCOLOR="1")
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "--connection", "local"]
    command += ["--extra-vars", json.dumps({"ansible_python_interpreter": sys.executable})]
    command += ["--module-name", "homelab.lantern.sysctls", "--args", json.dumps(arguments)]
    return command, environment


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare, for a network namespace"
)
def test_set_repaired_and_put_back(tmp_path):
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 300"], stdout=subprocess.PIPE)
    holder.stdout.readline()
    enter = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
    live = ["sh", "-c", "cat /proc/sys/net/ipv4/ip_forward"]

    def module(values, state="present"):
        command, environment = _run(tmp_path, values, state)
        done = subprocess.run(
            enter + command, env=environment, cwd=str(tmp_path), capture_output=True, text=True, check=False
        )
        status, arrow, text = done.stdout.partition(" => ")
        assert arrow, done.stdout + done.stderr
        return dict(json.JSONDecoder().raw_decode(text)[0], failed="FAILED" in status)

    def forwarding():
        return subprocess.run(enter + live, capture_output=True, text=True, check=True).stdout.strip()

    try:
        subprocess.run([*enter, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"], check=True)
        file = tmp_path / "60-lantern.conf"
        assert module({FORWARD: 1})["changed"] and forwarding() == "1" and "net.ipv4.ip_forward = 1" in file.read_text()
        assert not module({FORWARD: "1"})["changed"]
        subprocess.run([*enter, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"], check=True)
        repaired = module({FORWARD: "1"})
        assert repaired["changed"] and repaired["live"] == {FORWARD: "1"} and forwarding() == "1"
        file.write_text("")
        assert module({FORWARD: "1"})["changed"] and FORWARD in file.read_text()
        unknown = module({"net.ipv4.no_such_setting": "1"})
        assert unknown["failed"] and "net.ipv4.no_such_setting" in unknown["msg"]
        assert module({}, "absent")["changed"] and forwarding() == "0"
        assert not file.exists() and not (tmp_path / "state").exists()
        assert not module({}, "absent")["changed"]
    finally:
        holder.kill()
        holder.wait()
