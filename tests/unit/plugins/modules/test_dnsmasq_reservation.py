# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module dnsmasq_reservation against a real dnsmasq in a network namespace of its own; DHCP clients are scapy frames.

The service manager is a script that starts and stops the real program, so that no service of the machine is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("scapy", reason="needs the Python package scapy to send DHCP frames")

ROOT = Path(__file__).resolve().parents[4]
DNSMASQ = shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
CONFIG = """\
# Router of a small LAN
port=0
interface=lan0
bind-interfaces
no-ping
dhcp-authoritative
dhcp-leasefile={folder}/leases
pid-file={folder}/pid
dhcp-range=set:lan,192.168.2.2,192.168.2.14,255.255.255.240,12h   # everybody
dhcp-option=option:router,192.168.2.1
conf-dir={folder}/conf.d,*.conf
"""
SERVICE = """\
#!/bin/sh
# service dnsmasq restart, and systemctl COMMAND dnsmasq
for action; do case $action in restart|show|reset-failed) break;; esac; done
pid() {{ p=$(cat {folder}/pid 2>/dev/null) && kill -0 "$p" 2>/dev/null && echo "$p"; }}
case $action in
    restart)
        p=$(pid) && kill "$p" && while kill -0 "$p" 2>/dev/null; do sleep 0.05; done
        [ -e {folder}/broken ] && {{ cat {folder}/broken >&2; exit 1; }}
        exec {dnsmasq} -C {folder}/dnsmasq.conf --user=root;;
    show) echo "MainPID=$(pid || echo 0)";;
esac
"""
CLIENT = """
import json, sys, threading, time
from scapy.all import AsyncSniffer, BOOTP, DHCP, Ether, IP, UDP, conf, sendp
conf.verb = 0

def talk(kind, addresses):
    answers, ready = {}, threading.Event()

    def hear(packet):
        if DHCP in packet and packet[BOOTP].op == 2:
            options = {o[0]: o[1] for o in packet[DHCP].options if isinstance(o, tuple)}
            answers[addresses[packet[BOOTP].xid - 1000]] = [options.get("message-type"), packet[BOOTP].yiaddr]

    sniffer = AsyncSniffer(iface="lan1", prn=hear, store=False, started_callback=ready.set)
    sniffer.start()
    ready.wait(10)
    for number, address in enumerate(addresses):
        mac = bytes([2, 0, 0, 0, 1, number])
        options = [("message-type", kind), ("requested_addr", address), "end"]
        frame = Ether(src="02:00:00:00:01:%02x" % number, dst="ff:ff:ff:ff:ff:ff")
        frame /= IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
        frame /= BOOTP(op=1, xid=1000 + number, chaddr=mac, flags=0x8000) / DHCP(options=options)
        sendp(frame, iface="lan1")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and len(answers) < len(addresses):
        time.sleep(0.02)
    sniffer.stop()
    return answers

kind, addresses = sys.argv[1], sys.argv[2:]
print(json.dumps(talk(kind, addresses)))
"""
OFFER, ACK, NAK = 2, 5, 6


def _refusal():
    if os.geteuid() != 0:
        return "needs root, for a network namespace and DHCP's port"
    for program in ("ip", "unshare", "nsenter"):
        if not shutil.which(program):
            return "needs the program " + program
    if not DNSMASQ:
        return "needs dnsmasq (Debian package dnsmasq-base)"
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode != 0:
        return "needs to be allowed to make a network namespace"
    return ""


pytestmark = pytest.mark.skipif(bool(_refusal()), reason=_refusal() or "runs")


class Router:
    """A LAN of two interfaces, dnsmasq on one, clients on the other."""

    def __init__(self, folder, namespace_pid):
        self.folder = folder
        self.config = folder / "dnsmasq.conf"
        self._enter = ["nsenter", f"--net=/proc/{namespace_pid}/ns/net"]

    def run(self, *command, **options):
        return subprocess.run(
            self._enter + list(command), check=False, capture_output=True, text=True, timeout=120, **options
        )

    def module(self, check=False, **arguments):
        """The module's result, run by Ansible as on a router; `shown` is all that Ansible printed, diffs included."""
        arguments.setdefault("config_file", str(self.config))
        arguments.setdefault("backup_dir", str(self.folder / "state" / "dnsmasq"))
        arguments.setdefault("timeout", 5)
        # ansible-test hides most of Ansible by PYTHONPATH, as modules on a target see none of it.
        environment = {n: value for n, value in os.environ.items() if not n.startswith(("ANSIBLE_", "PYTHONPATH"))}
        environment.update(
            PATH="{}:{}".format(self.folder / "bin", os.environ["PATH"]),
            HOME=str(self.folder),
            ANSIBLE_COLLECTIONS_PATH=str(self.folder / "collections"),
            ANSIBLE_LOCALHOST_WARNING="False",
            ANSIBLE_NOCOLOR="1",
        )
        command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "--connection", "local", "--diff"]
        command += ["--extra-vars", json.dumps({"ansible_python_interpreter": sys.executable})]
        command += ["--module-name", "homelab.lantern.dnsmasq_reservation", "--args", json.dumps(arguments)] + (
            ["--check"] if check else []
        )
        done = self.run(*command, env=environment, cwd=str(self.folder))
        status, arrow, text = done.stdout.partition(" => ")
        assert arrow, done.stdout + done.stderr
        result, _end = json.JSONDecoder().raw_decode(text)
        return dict(result, failed="FAILED" in status, shown=done.stdout)

    def ask(self, kind, *hosts):
        """What dnsmasq answers to a client that asks for each of these addresses: {host: (message type, address)}."""
        addresses = [f"192.168.2.{host}" for host in hosts]
        done = self.run(sys.executable, "-c", CLIENT, kind, *addresses)
        assert done.returncode == 0, done.stderr
        return {int(key.rpartition(".")[2]): tuple(value) for key, value in json.loads(done.stdout).items()}

    def pid(self):
        try:
            return int((self.folder / "pid").read_text() or 0)
        except FileNotFoundError:  # dnsmasq deletes it when it ends
            return 0

    def stop(self):
        if self.pid() and Path(f"/proc/{self.pid()}").exists():
            os.kill(self.pid(), 15)
            while Path(f"/proc/{self.pid()}").exists() and self.alive():
                pass

    def alive(self):
        try:
            return Path(f"/proc/{self.pid()}/comm").read_text().strip() == "dnsmasq"
        except OSError:
            return False


@pytest.fixture
def router(tmp_path):
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE)
    holder.stdout.readline()
    lan = Router(tmp_path, holder.pid)
    try:
        for command in (
            "ip link set lo up",
            "ip link add lan0 type veth peer name lan1",
            "ip addr add 192.168.2.1/28 dev lan0",
            "ip link set lan0 up",
            "ip link set lan1 up",
        ):
            done = lan.run(*command.split())
            assert done.returncode == 0, done.stderr
        (tmp_path / "conf.d").mkdir()
        lan.config.write_text(CONFIG.format(folder=tmp_path))
        (tmp_path / "bin").mkdir()
        script = tmp_path / "bin" / "service"
        script.write_text(textwrap.dedent(SERVICE).format(folder=tmp_path, dnsmasq=DNSMASQ))
        script.chmod(0o755)
        (tmp_path / "bin" / "systemctl").symlink_to(script)
        target = tmp_path / "collections" / "ansible_collections" / "homelab"
        target.mkdir(parents=True)
        (target / "lantern").symlink_to(ROOT)
        started = lan.run(DNSMASQ, "-C", str(lan.config), "--user=root")
        assert started.returncode == 0, started.stderr
        yield lan
    finally:
        lan.stop()
        holder.kill()
        holder.wait()


POOL = ["192.168.2.8/30"]
INSIDE, OUTSIDE = (8, 9, 10, 11), (2, 7, 12, 14)


def test_no_address_of_the_pool_is_handed_out_any_more(router):
    everywhere = router.ask("discover", *INSIDE, *OUTSIDE)
    assert everywhere == {host: (OFFER, f"192.168.2.{host}") for host in INSIDE + OUTSIDE}

    result = router.module(ranges=POOL, network="192.168.2.0/28")
    assert result["changed"] and result["restarted"]
    assert result["handed_out"] == ["192.168.2.2-192.168.2.7", "192.168.2.12-192.168.2.14"]

    answers = router.ask("discover", *INSIDE, *OUTSIDE)
    assert {host: answers[host] for host in OUTSIDE} == {host: (OFFER, f"192.168.2.{host}") for host in OUTSIDE}
    offered = {int(address.rpartition(".")[2]) for _kind, address in answers.values()}
    assert len(answers) == 8 and not offered & set(INSIDE)
    assert all(kind == NAK for kind, _address in router.ask("request", *INSIDE).values())


def test_check_mode_a_second_run_and_undo(router):
    before = router.config.read_bytes()
    pid = router.pid()
    planned = router.module(check=True, ranges=POOL)
    assert planned["changed"] and router.config.read_bytes() == before and router.pid() == pid
    assert (
        "+dhcp-range=set:lan,192.168.2.2,192.168.2.7," in planned["shown"]
        and "-dhcp-range=set:lan,192.168.2.2," in planned["shown"]
    )

    assert router.module(ranges=POOL)["changed"]
    reserved, pid = router.config.read_bytes(), router.pid()
    again = router.module(ranges=POOL)
    assert not again["changed"] and not again["restarted"]
    assert router.config.read_bytes() == reserved and router.pid() == pid
    (backup,) = again["backups"]
    assert Path(backup).read_bytes() == before

    assert router.module(state="absent")["changed"]
    assert router.config.read_bytes() == before
    assert not (router.folder / "state").exists()
    assert not router.module(state="absent")["changed"]
    assert router.ask("discover", 9) == {9: (OFFER, "192.168.2.9")}


@pytest.mark.parametrize("restarted", [False, True], ids=["file-only", "with-restart"])
def test_a_damaged_file_is_repaired(router, restarted):
    router.module(ranges=POOL)
    good = router.config.read_text()
    router.config.write_text(good.replace("192.168.2.7,", "192.168.2.14,"))
    if restarted:
        router.stop()
        router.run(DNSMASQ, "-C", str(router.config), "--user=root")
        assert router.ask("discover", 9) == {9: (OFFER, "192.168.2.9")}
    assert router.module(ranges=POOL)["changed"]
    assert router.config.read_text() == good
    assert router.ask("discover", 9)[9] != (OFFER, "192.168.2.9")


def test_a_stopped_or_outdated_dnsmasq_is_started_anew(router):
    router.module(ranges=POOL)
    router.stop()
    stopped = router.module(ranges=POOL)
    assert stopped["changed"] and stopped["files"] == [] and router.alive()
    good, pid = router.config.read_text(), router.pid()
    # The file is right, but the process has read another one.
    router.config.write_text(good)
    outdated = router.module(ranges=POOL)
    assert outdated["changed"] and outdated["files"] == [] and router.pid() != pid
    assert not router.module(ranges=POOL)["changed"]


def test_an_included_file_is_changed_where_it_stands(router):
    included = router.folder / "conf.d" / "lan.conf"
    main = router.config.read_text()
    line = next(text for text in main.splitlines() if text.startswith("dhcp-range"))
    router.config.write_text(main.replace(line + "\n", ""))
    included.write_text(line + "\n")
    result = router.module(ranges=POOL)
    assert result["files"] == [str(included)]
    assert router.ask("discover", 9)[9] != (OFFER, "192.168.2.9")


def test_leases_and_fixed_addresses_in_the_pool_are_refused(router):
    assert router.ask("request", 10) == {10: (ACK, "192.168.2.10")}
    before = router.config.read_bytes()
    refused = router.module(ranges=POOL)
    assert refused["failed"] and "192.168.2.10" in refused["msg"] and "02:00:00:00:01:00" in refused["msg"]
    assert refused["active_leases"][0]["mac"] == "02:00:00:00:01:00"
    assert router.config.read_bytes() == before
    accepted = router.module(ranges=POOL, active_leases="ignore")
    assert accepted["changed"] and len(accepted["active_leases"]) == 1
    assert router.ask("request", 10)[10][0] == NAK

    router.config.write_text(router.config.read_text() + "dhcp-host=02:00:00:00:00:aa,printer,192.168.2.11\n")
    fixed = router.module(ranges=POOL, active_leases="ignore")
    assert fixed["failed"] and '"printer"' in fixed["msg"] and "192.168.2.11" in fixed["msg"]


def test_taking_everything_is_refused(router):
    refused = router.module(ranges=["192.168.2.0/28"])
    assert refused["failed"] and "192.168.2.2-192.168.2.14" in refused["msg"]


def test_a_configuration_that_dnsmasq_rejects_changes_nothing(router):
    line = router.config.read_text().count("\n") + 1
    router.config.write_text(router.config.read_text() + "no-such-option\n")
    before, pid = router.config.read_bytes(), router.pid()
    refused = router.module(ranges=POOL)
    assert refused["failed"] and f"at line {line} of {router.config}" in refused["msg"]
    assert router.config.read_bytes() == before and router.pid() == pid and router.alive()


def test_a_failed_start_puts_the_former_files_back(router):
    before = router.config.read_bytes()
    (router.folder / "broken").write_text("dnsmasq: failed to create listening socket\n")
    refused = router.module(ranges=POOL, timeout=2)
    assert (
        refused["failed"]
        and "failed to create listening socket" in refused["msg"]
        and "former files were put back" in refused["msg"]
    )
    assert router.config.read_bytes() == before


def test_bad_ranges_are_named(router):
    refused = router.module(ranges=["192.168.2.300/28"])
    assert refused["failed"] and "192.168.2.300/28" in refused["msg"]
    assert "ranges is empty" in router.module(ranges=[])["msg"]
