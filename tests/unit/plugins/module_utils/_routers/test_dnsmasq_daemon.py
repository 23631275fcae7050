# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dnsmasq process reads, found from its command line and files."""

from __future__ import annotations

import os
import time

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._routers import dnsmasq_daemon as daemons


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-k", "-C", "/a.conf"], "conf-file=/a.conf"),
        (["-C/a.conf", "--conf-dir=/d,.bak"], "conf-file=/a.conf\nconf-dir=/d,.bak"),
        (
            ["-x", "/run/pid", "-u", "dnsmasq", "-7", "/etc/dnsmasq.d,.dpkg-old", "--local-service"],
            "conf-dir=/etc/dnsmasq.d,.dpkg-old",
        ),
        (
            ["--conf-file", "/a", "-F", "10.0.0.2,10.0.0.9", "-9", "-Z"],
            "conf-file=/a\ndhcp-range=10.0.0.2,10.0.0.9\nleasefile-ro\nread-ethers",
        ),
        (["--leasefile-ro", "-l", "/leases"], "leasefile-ro\ndhcp-leasefile=/leases"),
        ([], ""),
    ],
)
def test_command_lines(arguments, expected):
    assert daemons.arguments_as_options(arguments) == expected


def test_debians_start_script():
    text = '# x\n#DNSMASQ_OPTS="--no"\nCONFIG_DIR=/etc/dnsmasq.d,.dpkg-dist\nDNSMASQ_OPTS="-F 10.0.0.2,10.0.0.9"\n'
    assert daemons.debian_defaults(text) == ["-7", "/etc/dnsmasq.d,.dpkg-dist", "-F", "10.0.0.2,10.0.0.9"]
    assert daemons.debian_defaults("") == []


def test_included_files_are_read_in_order_and_once(tmp_path):
    main = tmp_path / "main.conf"
    second = write(tmp_path / "d" / "b.conf", "dhcp-range=10.0.0.20,10.0.0.29\n")
    first = write(tmp_path / "d" / "a.conf", f"conf-file={main}\n")
    write(tmp_path / "d" / "c.conf.bak", "dhcp-range=1.1.1.1,1.1.1.2\n")
    hosts = write(tmp_path / "hosts", "02:00:00:00:00:01,10.0.0.5\n")
    write(main, f"conf-dir={tmp_path}/d,*.conf\ndhcp-hostsfile={hosts}\ndhcp-range=10.0.0.2,10.0.0.9\n")
    sources = daemons.read_sources(str(main), [])
    assert list(sources.options) == [str(main), first, second]
    assert sources.hosts == {hosts: "02:00:00:00:00:01,10.0.0.5\n"}


def test_the_command_line_names_the_files(tmp_path):
    other = write(tmp_path / "other.conf", "dhcp-range=10.0.0.2,10.0.0.9\n")
    sources = daemons.read_sources(str(tmp_path / "dnsmasq.conf"), ["-C", other])
    assert list(sources.options) == [daemons.COMMAND_LINE, other]
    write(tmp_path / "d" / "x.conf", "")
    sources = daemons.read_sources(str(tmp_path / "missing.conf"), ["-7", str(tmp_path / "d")])
    assert list(sources.options) == [daemons.COMMAND_LINE, str(tmp_path / "d" / "x.conf")]


def test_a_missing_configuration_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        daemons.read_sources(str(tmp_path / "dnsmasq.conf"), [])


def test_all_options_as_one_text(tmp_path):
    main = tmp_path / "main.conf"
    child = write(tmp_path / "child.conf", "b1\nb2\n")
    write(main, f"a1\nconf-file={child}\nconf-file={tmp_path}/missing\na2\n")
    sources = daemons.read_sources(str(main), [])
    text, origins = sources.flat({child: "n1\nn2\nn3\n"})
    assert text == f"a1\nn1\nn2\nn3\n\nconf-file={tmp_path}/missing\na2\n\n"
    assert origins[:4] == [(str(main), 1), (child, 1), (child, 2), (child, 3)]
    assert len(origins) == text.count("\n")


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("", None),
        ("dhcp-range=fd00::1,fd00::9\n", None),
        ("dhcp-range=10.0.0.2,10.0.0.9\n", 67),
        ("dhcp-range=set:x,10.0.0.0,static\n", 67),
        ("dhcp-range=10.0.0.2,10.0.0.9\ndhcp-alternate-port\n", 1067),
        ("dhcp-range=10.0.0.2,10.0.0.9\ndhcp-alternate-port=1100,1101\n", 1100),
    ],
)
def test_the_port_that_must_be_open(text, port):
    assert daemons.dhcp_port(daemons.Sources(options={"f": text})) == port


def test_the_lease_file(tmp_path):
    leases = write(tmp_path / "leases", "")
    configured = daemons.Sources(options={"f": f"dhcp-leasefile={leases}\n"})
    assert daemons.lease_file(configured) == leases
    assert daemons.lease_file(daemons.Sources(options={"f": f"dhcp-leasefile={leases}.none\n"})) is None
    assert daemons.lease_file(daemons.Sources(options={"f": f"dhcp-leasefile={leases}\nleasefile-ro\n"})) is None


def test_a_process_is_stale_when_a_file_is_younger(tmp_path):
    daemon = daemons.Daemon(lambda command: (1, "", ""), lambda name: None, "dnsmasq", "/etc/dnsmasq.conf")
    path = write(tmp_path / "f", "")
    oldest = 1  # a process that has been there for longer than this test
    assert daemon.service.is_stale(oldest, [path])
    os.utime(path, (0, 0))
    assert not daemon.service.is_stale(oldest, [path])
    ahead = time.time() + 3600
    os.utime(path, (ahead, ahead))  # a clock was wrong; restarting again and again would not help
    assert not daemon.service.is_stale(oldest, [path])


def test_what_the_tested_configuration_says_is_traced_to_its_file(tmp_path):
    scratch = str(tmp_path / "scratch")
    child = write(tmp_path / "child.conf", "ok\nbad\n")
    main = write(tmp_path / "main.conf", f"conf-file={child}\n")

    def run(command):
        assert command[-1] == "--conf-file=" + scratch
        return 1, "", f"dnsmasq: bad option at line 2 of {scratch}\n"

    daemon = daemons.Daemon(run, lambda name: "/usr/sbin/" + name, "dnsmasq", main)
    assert daemon.test(daemons.read_sources(main, []), {}, scratch) == f"dnsmasq: bad option at line 2 of {child}"
