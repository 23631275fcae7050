# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is particular to one server: its lease list, its notation, what survives when somebody else edits it."""

from __future__ import annotations

import json

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._pools import parse_range
from ansible_collections.homelab.lantern.plugins.module_utils._routers import (
    blocks,
    dnsmasq,
    isc,
    kea,
    kea_api,
    networkd,
    openwrt,
    openwrt_shell,
    opnsense,
    pihole,
    pihole5,
    routeros,
)
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import HostName
from ansible_collections.homelab.lantern.plugins.module_utils._routers.documents import text

POOL = [parse_range("192.168.1.150-192.168.1.159")]


def told(leases):
    return [(str(item.address), item.mac, item.name, item.expiry) for item in leases]


def test_leases_of_kea():
    rows = (
        "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
        "192.168.1.150,02:00:00:00:00:01,,4000,3000,1,0,0,tv.home.,0,\n"
        "192.168.1.151,02:00:00:00:00:02,,4000,1500,1,0,0,old,0,\n"
        "192.168.1.152,02:00:00:00:00:03,,4000,3000,1,0,0,gone,0,\n"
        "192.168.1.152,02:00:00:00:00:03,,0,3000,1,0,0,gone,0,\n"
        "192.168.1.153,,,4000,3000,1,0,0,,1,\n"
        "192.168.1.154,02:00:00:00:00:05,,4294967295,1,1,0,0,a&#x2cb,0,\n"
        "192.168.1.155,02:00:00:00:00:06,,4000,3000,1,0,0,,2,\n"
        "rubbish\n"
    )
    assert told(kea.leases(rows, 2000.0)) == [
        ("192.168.1.150", "02:00:00:00:00:01", "tv.home", 3000),
        ("192.168.1.153", "", "", 3000),
        ("192.168.1.154", "02:00:00:00:00:05", "a,b", 0),
    ]
    assert kea.leases("", 0.0) == kea.leases("other,columns\n", 0.0) == []


def test_leases_of_dhcpd():
    entries = """
# comment
lease 192.168.1.150 {
  starts 6 2026/11/21 07:00:00; ends 6 2026/11/21 19:00:00;
  binding state active; next binding state free;
  hardware ethernet 02:00:00:00:00:01; client-hostname "tv";
}
lease 192.168.1.151 { ends never; binding state active; hardware ethernet 02:00:00:00:00:02; }
lease 192.168.1.152 { ends epoch 1795284000; binding state active; hardware ethernet 02:00:00:00:00:03; }
lease 192.168.1.153 { ends 6 2026/11/21 06:00:00; binding state active; }
lease 192.168.1.151 { ends never; binding state free; }
"""
    assert told(isc.leases(entries, 1795244400.0)) == [
        ("192.168.1.150", "02:00:00:00:00:01", "tv", 1795287600),
        ("192.168.1.152", "02:00:00:00:00:03", "", 1795284000),
    ]


def test_leases_of_networkd():
    printed = (
        "  Offered DHCP leases: 192.168.1.150 (to 02:00:00:00:00:01)\n"
        "                       192.168.1.151 (to ff:5d:e2:6c:15)\n"
    )
    assert told(networkd.leases(printed, 0.0)) == [
        ("192.168.1.150", "02:00:00:00:00:01", "", 0),
        ("192.168.1.151", "ff:5d:e2:6c:15", "", 0),
    ]


def test_leases_that_apis_tell():
    listed = [{"ip": "192.168.1.150", "hwaddr": "m", "name": "*", "expires": 3000}, {"ip": "10.0.0.1", "expires": 9}]
    assert told(pihole.leases({"leases": listed}, 2000.0)) == [("192.168.1.150", "m", "", 3000)]
    rows = [
        {"address": "192.168.1.9", "dynamic": "false"},
        {"address": "192.168.1.150", "mac-address": "m", "host-name": "tv", "dynamic": "true", "status": "bound",
         "expires-after": "1h2m3s"},
        {"address": "192.168.1.151", "dynamic": "true", "status": "waiting"},
    ]  # fmt: skip
    assert told(routeros.leases(rows, 1000.0)) == [("192.168.1.150", "m", "tv", 1000 + 3723)]
    answer = {"rows": [{"address": "192.168.1.150", "hwaddr": "m", "hostname": "tv", "expire": "3000"}]}
    assert told(opnsense.leases(answer, 2000.0)) == [("192.168.1.150", "m", "tv", 3000)]
    leases = [{"ip-address": "192.168.1.150", "hw-address": "m", "cltt": 1000, "valid-lft": 2000, "state": 0}]
    assert told(kea_api.leases([{"result": 0, "arguments": {"leases": leases}}], 2000.0)) == [
        ("192.168.1.150", "m", "", 3000)
    ]
    assert kea_api.leases([{"result": 3, "text": "0 leases found"}], 0.0) == []


def test_kea_keeps_what_a_pool_says_besides_its_addresses():
    config = '{"Dhcp4":{"subnet4":[{"pools":[ {"pool":"192.168.1.0/24","client-class":"a"} ]}]}}'
    after = kea.reserve({"f": config}, POOL).files["f"]
    assert after.count('"client-class":"a"') == 3  # the original in its comment, and both parts
    assert kea.release({"f": after}) == {"f": config}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('{"Dhcp4": {\n"subnet4": [ }', "f:2"),
        ('{"Dhcp4": ', "ends too early"),
        ('{"Dhcp4": {"subnet4": <?include "/gone"?>}}', "/gone cannot be read"),
        ('{"Dhcp4": {"a": nonsense}}', "'nonsense'"),
        ('{"Dhcp4": {1: 2}}', "'1'"),
    ],
)
def test_a_configuration_that_kea_would_not_read_is_named(config, words):
    with pytest.raises(kea.KeaSyntaxError, match=words):
        kea.handed_out({"f": config})


def test_a_pool_of_dhcpd_that_has_nothing_left_goes_as_a_whole():
    config = "subnet 192.168.1.0 netmask 255.255.255.0 {\n range 192.168.1.2 192.168.1.9;\n"
    config += ' pool {\n  range 192.168.1.150 192.168.1.155; # "a";\n  allow members of "a";\n }\n}\n'
    outcome = isc.reserve({"f": config}, POOL)
    assert "pool" not in [line.split()[0] for line in outcome.files["f"].splitlines() if line.strip()]
    assert len(outcome.warnings) == 1 and "f:4" in outcome.warnings[0]
    assert isc.release(outcome.files) == {"f": config}


def test_included_files_are_put_together_for_the_servers_own_test():
    files = {"main": 'a;\ninclude "sub"; b;\ninclude "elsewhere";\n', "sub": "c { d; }\n"}
    assert isc.flatten(files) == 'a;\nc { d; }\n b;\ninclude "elsewhere";\n'
    assert isc.includes(files["main"]) == ["sub", "elsewhere"]
    files = {"main": '{"a": <?include "sub"?>, # x\n}', "sub": "[1]"}
    assert kea.flatten(files) == '{"a": [1], # x\n}'
    assert kea.includes(files["main"]) == ["sub"]


def test_networkd_says_when_its_drop_in_is_not_the_last():
    files = {
        "/etc/systemd/network/a.network": "[Network]\nAddress=192.168.1.1/24\nDHCPServer=yes\n",
        "/etc/systemd/network/a.network.d/zzz.conf": "[DHCPServer]\nPoolOffset=5\n",
    }
    problems = networkd.reserve(files, POOL).problems
    assert [item.code for item in problems] == ["overridden"] and "zzz.conf" in problems[0].message


def test_networkds_containers_are_left_alone():
    """Its own files for containers ask for any free network: no LAN."""
    files = {"/usr/lib/systemd/network/80-container.network": "[Network]\nAddress=0.0.0.0/28\nDHCPServer=yes\n"}
    assert networkd.handed_out(files) == []


def test_settings_that_somebody_changed_meanwhile_stay():
    dhcp = "config dhcp 'lan'\n\toption interface 'lan'\n\toption start '100'\n\toption limit '100'\n"
    network = "config interface 'lan'\n\toption proto 'static'\n\toption ipaddr '192.168.1.1/24'\n"
    after = openwrt.reserve({openwrt.DHCP: dhcp, openwrt.NETWORK: network}, POOL).files
    edited = {**after, openwrt.DHCP: after[openwrt.DHCP].replace("limit '50'", "limit '20'", 1)}
    assert openwrt.release(edited)[openwrt.DHCP] == dhcp.replace("limit '100'", "limit '20'")

    settings = {pihole5.SETTINGS: "DHCP_START=192.168.1.100\nDHCP_END=192.168.1.199\n"}
    after = pihole5.reserve(settings, POOL).files
    assert "DHCP_END=192.168.1.149" in after[pihole5.SETTINGS]
    edited = {pihole5.SETTINGS: after[pihole5.SETTINGS].replace("DHCP_END=192.168.1.149", "DHCP_END=192.168.1.120")}
    assert "DHCP_END=192.168.1.120\n" in pihole5.release(edited)[pihole5.SETTINGS]

    config = {"subnet4": [{"subnet": "192.168.1.0/24", "pools": [{"pool": "192.168.1.100-192.168.1.199"}]}]}
    after = json.loads(kea_api.reserve({"Dhcp4": text(config)}, POOL).files["Dhcp4"])
    after["subnet4"][0]["pools"] = [{"pool": "192.168.1.10-192.168.1.20"}]
    released = json.loads(kea_api.release({"Dhcp4": text(after)})["Dhcp4"])
    assert released["subnet4"] == [{"subnet": "192.168.1.0/24", "pools": [{"pool": "192.168.1.10-192.168.1.20"}]}]


def test_odhcpd_knows_one_range_only():
    dhcp = "config odhcpd 'odhcpd'\n\toption maindhcp '1'\n\nconfig dhcp 'lan'\n\toption interface 'lan'\n"
    network = "config interface 'lan'\n\toption proto 'static'\n\toption ipaddr '192.168.1.1/24'\n"
    outcome = openwrt.reserve({openwrt.DHCP: dhcp, openwrt.NETWORK: network}, POOL)
    assert [str(item) for _where, item in openwrt.handed_out(outcome.files)] == ["192.168.1.160-192.168.1.249"]
    assert "192.168.1.100-192.168.1.149" in outcome.warnings[0]
    assert openwrt_shell.odhcpd_serves(dhcp)
    assert openwrt.release(outcome.files)[openwrt.DHCP] == dhcp


NAMES = [HostName("web", ("192.168.1.150", "fd00::5")), HostName("db.example.org", ("192.168.1.151",))]


def test_names_on_dnsmasq_and_openwrt():
    files = {"/etc/dnsmasq.conf": "domain=home,192.168.1.0/24\ndhcp-range=192.168.1.2,192.168.1.200"}
    after = dnsmasq.with_names(dnsmasq.reserve(files, POOL).files, "/etc/dnsmasq.conf", NAMES)
    lines = after["/etc/dnsmasq.conf"].split("\n")
    assert "host-record=web.home,web,192.168.1.150,fd00::5" in lines
    assert "host-record=db.example.org,192.168.1.151" in lines
    assert dnsmasq.release(after) == files
    again = dnsmasq.with_names(dnsmasq.reserve(after, POOL).files, "/etc/dnsmasq.conf", NAMES)
    assert again == after
    assert dnsmasq.answers_dns(files) and not dnsmasq.answers_dns({"f": "port=0\n"})

    files = {openwrt.DHCP: "config dnsmasq\n\toption domain 'lan'\n", openwrt.NETWORK: ""}
    after = openwrt.with_names(files, NAMES)
    found = [
        (item.get("name"), item.get("ip")) for item in openwrt.sections(after[openwrt.DHCP]) if item.kind == "domain"
    ]
    assert found == [("web", "192.168.1.150"), ("web", "fd00::5"), ("db.example.org", "192.168.1.151")]
    assert openwrt.release(after) == files


def test_what_a_router_prints_is_read_whole():
    printed = (
        "motd\n=== LANTERN /etc/config/dhcp\nconfig dnsmasq\n\n=== LANTERN /etc/config/network\nx\n=== LANTERN "
        "/tmp/dhcp.leases\n\n=== LANTERN /etc/lantern/dhcp\n\n=== LANTERN changes\n\n=== LANTERN state\nup-to-date\n\n"
        "=== LANTERN exists\n/etc/config/dhcp\n/etc/config/network\n\n=== LANTERN end\n"
    )
    for text_ in (printed, printed.replace("\n", "\r\n")):
        seen = openwrt_shell.seen(text_)
        assert seen.files == {openwrt.DHCP: "config dnsmasq\n", openwrt.NETWORK: "x"}
        assert seen.up_to_date and seen.uncommitted == "" and seen.backup is None
    with pytest.raises(ValueError, match="motd"):
        openwrt_shell.seen("motd\n")


def test_edits_that_share_a_line_share_a_block():
    text_ = "a b c\nd\ne f\n"
    after = blocks.mark_parts(text_, [(0, 1, "A"), (4, 5, "C1\nC2"), (8, 9, "")])
    assert [line for line in after.split("\n") if not line.startswith("#")] == ["A b C1", "C2", "d", " f", ""]
    assert after.count(blocks.BEGIN) == 2 and blocks.unmark(after) == text_


@pytest.mark.parametrize("text_", ["", "a", "a\n", "a\n\n"])
def test_what_is_appended_goes_without_a_trace(text_):
    after = blocks.append(text_, ["x", "y"])
    syntax = blocks.WHOLE._replace(stands_in=lambda line: False)
    assert "\nx\ny\n" in f"\n{after}" and blocks.unmark(after, syntax) == text_
