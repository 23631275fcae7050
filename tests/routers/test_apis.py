# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routers with an HTTP API: Pi-hole 6, RouterOS and OPNsense as stand-ins, Kea's control agent as itself."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apis import KINDS, RANGES, OpnSense, PiHole, RouterOs, ranges, served
from lan import COLLECTION, NETWORK, PROJECT, ROUTER, Lan, eventually
from servers import KEA_API, SERVERS

POOL = ["192.168.2.150-192.168.2.159"]
INSIDE = "192.168.2.155"
LEFT = ["192.168.2.100-192.168.2.149", "192.168.2.160-192.168.2.200"]


def reserve(folder: Path, kind: str, url: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """The module's result."""
    api = KINDS.get(kind)
    given = {"server": kind, "url": url, "network": NETWORK, "timeout": 2, "record_dir": str(folder / "state")}
    given |= {"username": api.user, "password": api.password} if api else {}
    given |= {"ranges": POOL} if options.get("state") != "absent" else {}
    file = folder / "arguments.json"
    arguments = {**given, **options, "_ansible_check_mode": check, "_ansible_diff": True}
    file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    done = subprocess.run(
        [sys.executable, "-m", f"{COLLECTION}.dhcp_api_reservation", str(file)],
        capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(PROJECT / "playbooks/collections")},
    )  # fmt: skip
    assert done.stdout.strip().startswith("{"), done.stdout + done.stderr
    assert "secret" not in done.stdout
    return {"failed": False, "msg": "", **json.loads(done.stdout)}


def state(api: Any) -> dict[str, Any]:
    watched = ("config", "pools", "ranges", "subnets")
    return copy.deepcopy({key: value for key, value in vars(api).items() if key in watched})


@pytest.mark.parametrize("kind", KINDS)
def test_reserve_and_undo(tmp_path: Path, kind: str) -> None:
    api = KINDS[kind]()
    before = state(api)
    with served(api) as url:
        planned = reserve(tmp_path, kind, url, check=True)
        assert planned["changed"] and "192.168.2.149" in json.dumps(planned["diff"])
        assert state(api) == before and not (tmp_path / "state").exists()
        done = reserve(tmp_path, kind, url)
        assert done["changed"] and not done["failed"], done["msg"]
        assert done["handed_out"] == (LEFT * 2 if kind == "opnsense" else LEFT)
        reserved = state(api)
        again = reserve(tmp_path, kind, url)
        assert not again["changed"] and not again["failed"] and state(api) == reserved
        undone = reserve(tmp_path, kind, url, state="absent")
        assert undone["changed"] and state(api) == before
        assert not (tmp_path / "state").exists()
        assert not reserve(tmp_path, kind, url, state="absent")["changed"]


@pytest.mark.parametrize("kind", KINDS)
def test_reserve_proof_undo(lan: Lan, tmp_path: Path, kind: str) -> None:
    """A real DHCP server does what the stand-in is set to, as such a router's own does."""
    api, dnsmasq = KINDS[kind](), SERVERS["dnsmasq"]
    if dnsmasq.missing:
        pytest.skip(f"needs the program {dnsmasq.missing}")

    def take_over() -> None:
        lan.router.write(str(RANGES), ranges(api))
        lan.router.run("service", "dnsmasq", "restart")
        eventually(lambda: ":67 " in lan.router.run("busybox", "netstat", "-lnu").stdout)

    dnsmasq.start(lan.router)
    with served(api) as url:
        take_over()
        assert lan.prove(POOL, servers=[ROUTER])["verdict"] == "failed"
        assert lan.client.lease("02:00:00:00:00:21", INSIDE) == INSIDE
        assert reserve(tmp_path, kind, url)["changed"]
        take_over()
        found = lan.prove(POOL, servers=[ROUTER])
        assert found["verdict"] == "proven", found["table"]
        # Both parts of what was one range are still handed out.
        for mac, wish in (("02:00:00:00:00:22", "192.168.2.120"), ("02:00:00:00:00:23", "192.168.2.180")):
            assert lan.client.lease(mac, wish) == wish
        given = lan.client.lease("02:00:00:00:00:21", INSIDE)
        assert given and given not in [f"192.168.2.{number}" for number in range(150, 160)]
        assert reserve(tmp_path, kind, url, state="absent")["changed"]
        take_over()
        assert lan.client.lease("02:00:00:00:00:24", INSIDE) == INSIDE


def test_what_each_router_holds_afterwards(tmp_path: Path) -> None:
    pihole, routeros, opnsense = PiHole(), RouterOs(), OpnSense()
    for kind, api in (("pihole", pihole), ("routeros", routeros), ("opnsense", opnsense)):
        with served(api) as url:
            assert reserve(tmp_path, kind, url)["changed"]
    assert (pihole.config["dhcp"]["start"], pihole.config["dhcp"]["end"]) == ("192.168.2.100", "192.168.2.149")
    assert pihole.config["misc"]["dnsmasq_lines"] == ["dhcp-range=192.168.2.160,192.168.2.200,24h"]
    assert pihole.restarts == 1 and pihole.sessions == []
    assert routeros.pools[0]["ranges"] == ",".join(LEFT)
    assert routeros.pools[1]["ranges"] == "10.9.0.2-10.9.0.99"
    assert opnsense.taken_over == ["dnsmasq", "kea"]
    assert opnsense.ranges["u-1"]["end_addr"] == "192.168.2.149"
    assert opnsense.ranges["u-2"]["start_addr"] == "192.168.2.160" and opnsense.ranges["u-2"]["interface"] == "lan"
    assert opnsense.subnets["s-1"]["pools"] == "\n".join(LEFT)


def test_names_of_pinned_services_on_pi_hole(tmp_path: Path) -> None:
    api = PiHole()
    names = [{"name": "web.home", "addresses": ["192.168.2.150"]}]
    with served(api) as url:
        assert reserve(tmp_path, "pihole", url, names=names)["changed"]
        assert api.config["dns"]["hosts"] == ["192.168.2.5 nas", "192.168.2.150 web.home"]
        assert not reserve(tmp_path, "pihole", url, names=names)["changed"]
        assert reserve(tmp_path, "pihole", url, names=[])["changed"]
        assert api.config["dns"]["hosts"] == ["192.168.2.5 nas"]


# In each router's own words: a lease of the host "tv", and a fixed address of the host "television".
HELD: dict[str, tuple[Any, Any]] = {
    "pihole": (
        lambda api: api.leases.append({"expires": 0, "name": "tv", "hwaddr": "02:00:00:00:00:21", "ip": INSIDE}),
        lambda api: api.config["dhcp"]["hosts"].append(f"02:00:00:00:00:21,{INSIDE},television"),
    ),
    "routeros": (
        lambda api: api.leases.append(
            {".id": "*6", "address": INSIDE, "mac-address": "02:00:00:00:00:21", "host-name": "tv", "dynamic": "true",
             "status": "bound", "expires-after": "9m30s"}
        ),
        lambda api: api.leases.append(
            {".id": "*7", "address": INSIDE, "mac-address": "02:00:00:00:00:21", "dynamic": "false",
             "comment": "television"}
        ),
    ),
    "opnsense": (
        lambda api: api.leases.append(
            {"address": INSIDE, "hwaddr": "02:00:00:00:00:21", "hostname": "tv", "expire": "4000000000"}
        ),
        lambda api: api.hosts.update({"h-1": {"host": "television", "ip": INSIDE, "hwaddr": "02:00:00:00:00:21"}}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_leases_and_fixed_addresses_in_the_pools_are_refused(tmp_path: Path, kind: str) -> None:
    api = KINDS[kind]()
    lease, fix = HELD[kind]
    lease(api)
    before = state(api)
    with served(api) as url:
        leased = reserve(tmp_path, kind, url)
        assert leased["failed"] and INSIDE in leased["msg"] and '"tv"' in leased["msg"]
        assert state(api) == before
        fix(api)
        before = state(api)
        fixed = reserve(tmp_path, kind, url, active_leases="ignore")
        assert fixed["failed"] and "television" in fixed["msg"]
    assert state(api) == before


def test_a_refusal_in_the_middle_puts_everything_back(tmp_path: Path) -> None:
    class Broken(OpnSense):
        def answer(self, method: str, path: str, body: Any, headers: Any) -> Any:
            if path.endswith("addRange"):
                return {"result": "failed", "validations": {"range.end_addr": "no more room"}}
            return super().answer(method, path, body, headers)

    api = Broken()
    before = state(api)
    with served(api) as url:
        refused = reserve(tmp_path, "opnsense", url)
    assert refused["failed"] and "no more room" in refused["msg"] and "former settings were put back" in refused["msg"]
    assert state(api) == before and not (tmp_path / "state").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_settings_that_are_not_taken_over_are_noticed(tmp_path: Path, kind: str) -> None:
    class Deaf(KINDS[kind]):  # type: ignore[misc]
        def answer(self, method: str, path: str, body: Any, headers: Any) -> Any:
            before = state(self)
            answer = copy.deepcopy(super().answer(method, path, body, headers))
            vars(self).update(before)
            return answer

    api = Deaf()
    before = state(api)
    with served(api) as url:
        refused = reserve(tmp_path, kind, url)
    assert refused["failed"] and "did not take over" in refused["msg"]
    assert state(api) == before and not (tmp_path / "state").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_credentials_are_named(tmp_path: Path, kind: str) -> None:
    api = KINDS[kind]()
    with served(api) as url:
        refused = reserve(tmp_path, kind, url, password="wrong")
    assert refused["failed"] and "reserve_api_password" in refused["msg"]


def test_a_router_that_does_not_answer_is_named(tmp_path: Path) -> None:
    refused = reserve(tmp_path, "routeros", "http://127.0.0.1:9")
    assert refused["failed"] and "http://127.0.0.1:9" in refused["msg"] and "reserve_api_url" in refused["msg"]


KEA_FILE = "/etc/kea/kea-dhcp4.conf"


@pytest.fixture
def kea(lan: Lan) -> Callable[..., dict[str, Any]]:
    """The module, on a router with Kea and its control agent."""
    kea = SERVERS["kea"]
    if kea.missing:
        pytest.skip(f"needs the program {kea.missing}")
    hook = lan.router.run("sh", "-c", "ls /usr/lib/*/kea/hooks/libdhcp_lease_cmds.so").stdout.strip()
    hooks = f'"hooks-libraries": [ {{ "library": "{hook}" }} ],'
    kea.start(lan.router)
    for path, text in KEA_API.items():
        lan.router.write(path, text.replace('"lease-database"', f'{hooks} "lease-database"'))
    lan.router.run("service", "kea", "restart")
    lan.router.start("kea-ctrl-agent", "-c", "/etc/kea/kea-ctrl-agent.conf", log="agent.log")
    eventually(lambda: ":8000 " in lan.router.run("busybox", "netstat", "-lnt").stdout)
    eventually(lambda: ":67 " in lan.router.run("busybox", "netstat", "-lnu").stdout)

    def module(*, check: bool = False, **options: Any) -> dict[str, Any]:
        options = {"server": "kea_api", "url": f"http://{ROUTER}:8000", "ranges": POOL, "network": NETWORK, **options}
        if options.get("state") == "absent":
            del options["ranges"]
        return lan.router.module("dhcp_api_reservation", check=check, **options)

    return module


def test_keas_control_agent(lan: Lan, kea: Callable[..., dict[str, Any]]) -> None:
    assert lan.client.lease("02:00:00:00:00:21", INSIDE) == INSIDE
    before = lan.router.read(KEA_FILE)
    planned = kea(check=True, active_leases="ignore")
    assert planned["changed"] and "192.168.2.149" in json.dumps(planned["diff"])
    assert lan.router.read(KEA_FILE) == before
    leased = kea()
    assert leased["failed"] and INSIDE in leased["msg"] and "02:00:00:00:00:21" in leased["msg"]
    done = kea(active_leases="ignore")
    assert not done["failed"] and done["changed"] and done["handed_out"] == LEFT, done
    assert lan.prove(POOL, servers=[ROUTER])["verdict"] == "proven"
    assert not kea(active_leases="ignore")["changed"]
    # It is in Kea's file too: a restart does not bring the pool back.
    lan.router.run("service", "kea", "restart")
    eventually(lambda: ":67 " in lan.router.run("busybox", "netstat", "-lnu").stdout)
    given = lan.client.lease("02:00:00:00:00:21", INSIDE)
    assert given and given not in [f"192.168.2.{number}" for number in range(150, 160)]
    assert kea(state="absent")["changed"]
    assert not kea(state="absent")["changed"]
    assert lan.client.lease("02:00:00:00:00:22", INSIDE) == INSIDE


def test_settings_that_kea_cannot_save_are_put_back(lan: Lan, kea: Callable[..., dict[str, Any]]) -> None:
    # As where Kea's user may not write into /etc/kea.
    lan.router.run("sh", "-c", f"rm {KEA_FILE} && mkdir {KEA_FILE}")
    refused = kea(timeout=3)
    assert refused["failed"] and "refuses to config-write" in refused["msg"], refused
    assert "The former settings are in force again" in refused["msg"]
    assert lan.client.lease("02:00:00:00:00:21", INSIDE) == INSIDE
