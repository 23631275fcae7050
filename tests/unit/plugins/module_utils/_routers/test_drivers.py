# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of every driver, whatever its server: the contract of _routers, over samples of each configuration."""

from __future__ import annotations

import json

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, RangeSet, parse_range
from ansible_collections.homelab.lantern.plugins.module_utils._routers import BY_API, BY_LOGIN, DRIVERS, ROUTER_TYPES
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import changes
from ansible_collections.homelab.lantern.plugins.module_utils._routers.documents import text


def ranges(*texts):
    parsed = [parse_range(item) for item in texts]
    assert all(isinstance(item, AddressRange) for item in parsed)
    return parsed


LAN = ranges("192.168.1.0/24")[0]
NETWORK = (
    "config interface 'lan'\n\toption proto 'static'\n\toption ipaddr '192.168.1.1'\n\toption netmask '255.255.255.0'\n"
)

# Each of these hands out 192.168.1.100-192.168.1.254, and says that host "printer" has 192.168.1.20 for itself.
SAMPLES = {
    "dnsmasq": [
        {
            "/etc/dnsmasq.conf": "domain=home\nconf-dir=/etc/dnsmasq.d\n",
            "/etc/dnsmasq.d/lan.conf": "dhcp-range=set:lan,192.168.1.100,192.168.1.254,255.255.255.0,12h  # all\n"
            "dhcp-host=02:00:00:00:00:09,printer,192.168.1.20",
        }
    ],
    "pihole5": [
        {
            "/etc/dnsmasq.conf": "conf-dir=/etc/dnsmasq.d\n",
            "/etc/dnsmasq.d/02-pihole-dhcp.conf": "dhcp-authoritative\ndhcp-range=192.168.1.100,192.168.1.254,24h\n"
            "dhcp-option=option:router,192.168.1.1\n",
            "/etc/dnsmasq.d/04-pihole-static-dhcp.conf": "dhcp-host=02:00:00:00:00:09,192.168.1.20,printer\n",
            "/etc/pihole/setupVars.conf": "DHCP_ACTIVE=true\nDHCP_START=192.168.1.100\nDHCP_END=192.168.1.254\n"
            "DHCP_ROUTER=192.168.1.1\n",
        }
    ],
    "openwrt": [
        {
            "/etc/config/dhcp": "config dnsmasq\n\toption domain 'lan'\n\nconfig dhcp 'lan'\n\toption interface 'lan'\n"
            "\toption start '100'\n\toption limit 155\n\toption leasetime '12h'\n\tlist dhcp_option '6,192.168.1.1'\n"
            "\toption dhcpv6 'server'\n\nconfig dhcp 'wan'\n\toption interface 'wan'\n\toption ignore '1'\n\n"
            "config host\n\toption name 'printer'\n\toption mac '02:00:00:00:00:09'\n\toption ip '192.168.1.20'\n",
            "/etc/config/network": NETWORK,
        },
        {
            "/etc/config/dhcp": "config host 'p'\n  option ip \"192.168.1.20\"\n  option name printer\n"
            'config dhcp lan\n  option interface lan\n  option start 100\n  option limit "200"',
            "/etc/config/network": NETWORK.replace("192.168.1.1'", "192.168.1.1/24'"),
        },
    ],
    "kea": [
        {
            "/etc/kea/kea-dhcp4.conf": '// Kea\n{ "Dhcp4": {\n  "subnet4": [ {\n    "subnet": "192.168.1.0/24", # LAN\n'
            '    "pools": [\n      { "pool": "192.168.1.100 - 192.168.1.199", "client-class": "a" }, /* first */\n'
            '      { "pool": "192.168.1.200-192.168.1.254" }\n    ],\n    "reservations": [ {"hw-address": '
            '"02:00:00:00:00:09", "ip-address": "192.168.1.20", "hostname": "printer"} ]\n  } ]\n} }\n'
        },
        {
            "/etc/kea/kea-dhcp4.conf": '{"Dhcp4":{"subnet4":[{"subnet":"192.168.1.0/24","pools":[{"pool":'
            '"192.168.1.100-192.168.1.254"}]}],"reservations":[{"ip-address":"192.168.1.20","hostname":"printer"}]}}'
        },
        {
            "/etc/kea/kea-dhcp4.conf": '{"Dhcp4": {"shared-networks": [{"name": "n", "subnet4": '
            '<?include "/etc/kea/s"?>}], "reservations": [{"ip-address": "192.168.1.20", "hostname": "printer"}]}}',
            "/etc/kea/s": '[\n{"subnet": "192.168.1.0/24", "pools": [ {"pool": "192.168.1.100-192.168.1.127"},\n'
            '  {"pool": "192.168.1.128/26", "option-data": [{"name": "routers", "data": "192.168.1.1"}]},\n'
            '  {"pool": "192.168.1.192-192.168.1.254"} ]}]\n',
        },
    ],
    "kea_api": [
        {
            "Dhcp4": text(
                {
                    "subnet4": [
                        {
                            "subnet": "192.168.1.0/24",
                            "pools": [{"pool": "192.168.1.100-192.168.1.254", "option-data": []}],
                            "reservations": [{"ip-address": "192.168.1.20", "hostname": "printer"}],
                            "user-context": {"note": "ours"},
                        }
                    ]
                }
            )
        },
        {
            "Dhcp4": text(
                {
                    "reservations": [{"ip-address": "192.168.1.20", "hostname": "printer"}],
                    "shared-networks": [
                        {"subnet4": [{"subnet": "192.168.1.0/24", "pools": [{"pool": "192.168.1.100-192.168.1.254"}]}]}
                    ],
                }
            )
        },
    ],
    "isc_dhcpd": [
        {
            "/etc/dhcp/dhcpd.conf": "authoritative;\nsubnet 192.168.1.0 netmask 255.255.255.0 {\n"
            "  range 192.168.1.100 192.168.1.254; # all\n  option routers 192.168.1.1;\n}\n"
            'host printer { hardware ethernet 02:00:00:00:00:09; fixed-address 192.168.1.20; option host-name "p"; }\n'
        },
        {
            "/etc/dhcp/dhcpd.conf": 'include "/etc/dhcp/lan.conf";\n',
            "/etc/dhcp/lan.conf": "subnet 192.168.1.0 netmask 255.255.255.0 { pool { range dynamic-bootp "
            '192.168.1.100\n192.168.1.180; } pool {\n allow members of "c"; range 192.168.1.181 192.168.1.254; } }\n'
            "group { host printer { fixed-address 192.168.1.20, printer.home; } }",
        },
    ],
    "networkd": [
        {
            "/etc/systemd/network/lan.network": "[Match]\nName=lan0\n\n[Network]\nAddress=192.168.1.1/24\n"
            "DHCPServer=yes\n\n[DHCPServer]\nPoolOffset=100\nDNS=192.168.1.1\n\n[DHCPServerStaticLease]\n"
            "MACAddress=02:00:00:00:00:09\nAddress=192.168.1.20\n"
        },
        {
            "/usr/lib/systemd/network/80-lan.network": "[Match]\nName=br0\n[Network]\nDHCPServer=true\n"
            "[Address]\nAddress=192.168.1.1/24\n",
            "/run/systemd/network/80-lan.network.d/a.conf": "[DHCPServer]\nPoolOffset=100\nPoolSize=155\n"
            "[DHCPServerStaticLease]\nAddress=192.168.1.20\nMACAddress=02:00:00:00:00:09\n",
        },
    ],
    "pihole": [
        {
            "config": text(
                {
                    "dhcp": {
                        "active": True,
                        "start": "192.168.1.100",
                        "end": "192.168.1.254",
                        "netmask": "255.255.255.0",
                        "leaseTime": "24h",
                        "hosts": ["02:00:00:00:00:09,192.168.1.20,printer"],
                    },
                    "dns": {"hosts": ["192.168.1.5 nas"]},
                    "misc": {"dnsmasq_lines": ["log-dhcp"]},
                }
            )
        }
    ],
    "routeros": [
        {
            "/ip/pool": text(
                [
                    {
                        ".id": "*1",
                        "name": "lan",
                        "ranges": "192.168.1.100-192.168.1.199,192.168.1.200",
                        "next-pool": "b",
                    },
                    {".id": "*2", "name": "b", "ranges": "192.168.1.201-192.168.1.254"},
                    {".id": "*3", "name": "vpn", "ranges": "192.168.1.130-192.168.1.140"},
                ]
            ),
            "/ip/dhcp-server": text([{".id": "*1", "name": "d", "address-pool": "lan", "disabled": "false"}]),
            "/ip/dhcp-server/lease": text(
                [{".id": "*9", "address": "192.168.1.20", "mac-address": "02:00:00:00:00:09", "comment": "printer"}]
            ),
        }
    ],
    "opnsense": [
        {
            "dnsmasq ranges": text(
                [{"uuid": "u1", "interface": "lan", "start_addr": "192.168.1.100", "end_addr": "192.168.1.254"}]
            ),
            "dnsmasq hosts": text(
                [{"uuid": "h", "host": "printer", "ip": "192.168.1.20", "hwaddr": "02:00:00:00:00:09"}]
            ),
            "kea subnets": text([]),
            "kea reservations": text([]),
        },
        {
            "dnsmasq ranges": text([]),
            "dnsmasq hosts": text([]),
            "kea subnets": text([{"uuid": "s", "subnet": "192.168.1.0/24", "pools": "192.168.1.100-192.168.1.254"}]),
            "kea reservations": text([{"uuid": "r", "hostname": "printer", "ip_address": "192.168.1.20"}]),
        },
    ],
}
ONE_RUN_ONLY = ("networkd",)
EDGE, MIDDLE, ELSEWHERE = ["192.168.1.240-192.168.1.254"], ["192.168.1.150-192.168.1.159"], ["192.168.1.32/28"]
CASES = [
    pytest.param(DRIVERS[kind], files, id=f"{kind}-{number}")
    for kind, samples in SAMPLES.items()
    for number, files in enumerate(samples)
]
every_driver = pytest.mark.parametrize(("driver", "files"), CASES)
every_pool = pytest.mark.parametrize("pool", [EDGE, MIDDLE, EDGE + MIDDLE, ELSEWHERE])


def offered(driver, files):
    return RangeSet(item for _where, item in driver.handed_out(files))


def test_every_type_has_a_driver_a_sample_and_a_way_to_it():
    assert set(SAMPLES) == set(DRIVERS) == set(BY_LOGIN) | set(BY_API)
    assert set(ROUTER_TYPES) == set(DRIVERS) | {"manual", "none"}


@every_driver
def test_the_samples_are_understood(driver, files):
    assert offered(driver, files) == RangeSet(ranges("192.168.1.100-192.168.1.254"))
    assert [(item.host, str(item.address)) for item in driver.fixed_leases(files)] in (
        [("printer", "192.168.1.20")],
        [("02:00:00:00:00:09", "192.168.1.20")],
        [("(MAC not read)", "192.168.1.20")],
    )


@every_driver
@every_pool
def test_no_address_of_the_pools_is_handed_out_and_no_other_is_lost(driver, files, pool):
    outcome = driver.reserve(files, ranges(*pool), LAN)
    assert outcome.problems == []
    wanted = offered(driver, files).difference(RangeSet(ranges(*pool)))
    found = offered(driver, outcome.files)
    if driver.__name__.endswith(ONE_RUN_ONLY) and len(list(wanted)) > 1:
        assert found == RangeSet([max(wanted, key=lambda item: item.size)])
        assert "one range only" in outcome.warnings[0]
    else:
        assert found == wanted


@every_driver
@every_pool
def test_undoing_gives_the_same_bytes(driver, files, pool):
    outcome = driver.reserve(files, ranges(*pool), LAN)
    assert driver.release(outcome.files) == files
    assert list(driver.release(outcome.files)) == list(files)
    assert driver.release(files) == files


@every_driver
@every_pool
def test_a_second_run_changes_nothing(driver, files, pool):
    first = driver.reserve(files, ranges(*pool), LAN).files
    second = driver.reserve(first, ranges(*pool), LAN).files
    assert changes(first, second) == {}
    assert (changes(files, first) == {}) is (pool == ELSEWHERE)


@every_driver
def test_other_pools_start_from_the_original(driver, files):
    middle = driver.reserve(files, ranges(*MIDDLE), LAN).files
    moved = driver.reserve(middle, ranges(*EDGE), LAN).files
    assert offered(driver, moved) == offered(driver, files).difference(RangeSet(ranges(*EDGE)))
    assert driver.release(moved) == files


@every_driver
def test_taking_everything_is_refused(driver, files):
    outcome = driver.reserve(files, ranges("192.168.1.0/24"), LAN)
    assert outcome.problems
    assert "192.168.1.100-192.168.1" in outcome.problems[0].message


@pytest.mark.parametrize("kind", BY_API)
def test_requests_bring_about_the_difference_and_nothing_else(kind):
    driver = DRIVERS[kind]
    for files in SAMPLES[kind]:
        after = driver.reserve(files, ranges(*MIDDLE), LAN).files
        assert driver.requests(files, files) == driver.requests(after, after) == []
        there, back = driver.requests(files, after), driver.requests(after, files)
        assert there and back
        assert "192.168.1.149" in json.dumps([request.body for request in there])
