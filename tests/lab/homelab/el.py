# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes Debian's root file system look like CentOS Stream 9: packages and shell lines, as data.

rpm, dnf and firewalld are the real programs, the packages dnf installs are stand-ins from a repository on the host
itself. Such a host shows whether a role takes its RedHat branches and whether they run, not how EL's own userland
behaves: paths, service files and versions of everything else stay Debian's.
"""

from __future__ import annotations

import os

PACKAGES = ("rpm", "dnf", "python3-dnf", "createrepo-c", "firewalld")
NOT_PACKAGES = ("python3-apt",)
RELEASE = """NAME="CentOS Stream"
VERSION="9"
ID="centos"
ID_LIKE="rhel fedora"
VERSION_ID="9"
PLATFORM_ID="platform:el9"
PRETTY_NAME="CentOS Stream 9"
CPE_NAME="cpe:/o:centos:centos:9"
"""
DNF = """[main]
gpgcheck=0
best=True
skip_if_unavailable=False
cachedir=/var/cache/dnf
"""
REPOSITORY = """[local]
name=stand-ins of the lab
baseurl=file:///srv/repo
gpgcheck=0
"""
# What an EL host's dnf can install: name, version, and what else the package provides.
STANDINS = (
    ("iptables-nft", "1.8.10", "iptables"),
    ("iptables-legacy", "1.8.10", ""),
    ("conntrack-tools", "1.4.7", ""),
    ("nftables", "1.0.9", ""),
    ("iproute", "6.11.0", ""),
    ("chrony", "4.6.1", ""),
    ("firewalld", "1.3.4", ""),
    ("python3-firewall", "1.3.4", ""),
    ("python3-libselinux", "3.6", ""),
    ("dnsmasq", "2.85", ""),
)
SPEC = """Name: {name}
Version: {version}
Release: 1.el9
Summary: Stand-in for {name}
License: GPL-3.0-or-later
BuildArch: noarch
{provides}
%description
Says that it is installed and brings nothing; the programs are in the root file system already.
%install
mkdir -p %{{buildroot}}/usr/share/doc/{name}
echo {name} {version} > %{{buildroot}}/usr/share/doc/{name}/STAND-IN
%files
/usr/share/doc/{name}/STAND-IN
"""


def _file(path: str, text: str) -> str:
    """A shell line that writes a file."""
    return f"mkdir -p {os.path.dirname(path)} && cat > {path} <<'END'\n{text}END"


# rpm keeps its database in root's home on Debian; EL has it, and roles look for it, in /var/lib/rpm.
ADJUSTMENTS = (
    "systemctl disable firewalld",
    _file("/usr/lib/rpm/macros.d/macros.el", "%_dbpath /var/lib/rpm\n%dist .el9\n%rhel 9\n"),
    "mkdir -p /var/lib/rpm && rpm --initdb",
    *(
        _file(
            f"/tmp/specs/{name}.spec",
            SPEC.format(name=name, version=version, provides=f"Provides: {provides}" if provides else ""),
        )
        for name, version, provides in STANDINS
    ),
    "rpmbuild --quiet -bb --define '_topdir /tmp/rpm' --define '_rpmdir /srv/repo' /tmp/specs/*.spec",
    "createrepo_c --quiet /srv/repo && rm -rf /tmp/specs /tmp/rpm",
    _file("/etc/yum.repos.d/local.repo", REPOSITORY),
    _file("/etc/dnf/dnf.conf", DNF),
    _file("/etc/dnf/vars/releasever", "9\n"),
    "rm -f /etc/debian_version /etc/os-release /etc/dpkg/origins/default /etc/lsb-release",
    _file("/etc/os-release", RELEASE),
    _file("/etc/centos-release", "CentOS Stream release 9\n"),
    "ln -s centos-release /etc/redhat-release && ln -s centos-release /etc/system-release",
    "mkdir -p /usr/libexec && ln -s /usr/bin/python3 /usr/libexec/platform-python",
    "rm -f /usr/bin/apt* /usr/bin/dpkg* /usr/sbin/dpkg* /etc/apt/sources.list",
)
