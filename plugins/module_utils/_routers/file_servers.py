# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kea, ISC dhcpd and systemd-networkd as they run on this machine. PRIVATE to the collection.

Runs on the router. What the files mean is decided in the drivers kea.py, isc.py and networkd.py alone.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from typing import Any, Callable, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._routers import DRIVERS, contract, isc, kea, networkd
from ansible_collections.homelab.lantern.plugins.module_utils._routers.service import (
    Run,
    Service,
    arguments,
    read_text,
)

DHCP_PORT = 67


@dataclass(frozen=True)
class Kind:
    """What is known of a server. `flag`: the option that names its configuration file on its command line."""

    title: str
    programs: Sequence[str]
    services: Sequence[str]
    config_file: str = ""
    flag: str = ""
    lease_files: Sequence[str] = ()
    lease_flag: str = ""


KINDS = {
    "kea": Kind(
        "Kea",
        ("kea-dhcp4",),
        ("kea-dhcp4-server", "kea-dhcp4"),
        "/etc/kea/kea-dhcp4.conf",
        "-c",
        ("/var/lib/kea/kea-leases4.csv", "/var/lib/kea/dhcp4.leases"),
    ),
    "isc_dhcpd": Kind(
        "dhcpd",
        ("dhcpd",),
        ("isc-dhcp-server", "dhcpd"),
        "/etc/dhcp/dhcpd.conf",
        "-cf",
        ("/var/lib/dhcp/dhcpd.leases", "/var/lib/dhcpd/dhcpd.leases"),
        "-lf",
    ),
    "networkd": Kind("systemd-networkd", ("systemd-network",), ("systemd-networkd",)),
}


class FileServer:
    """One of these servers. Empty `service`, `config_file` or `lease_file`: found out."""

    def __init__(
        self,
        kind: str,
        run: Run,
        bin_path: Callable[[str], str | None],
        service: str = "",
        config_file: str = "",
        lease_file: str = "",
    ) -> None:
        self.kind = KINDS[kind]
        self.title = self.kind.title
        self.driver = DRIVERS[kind]
        self._run = run
        self._bin_path = bin_path
        self._lease_file = lease_file
        names = [service] if service else self.kind.services
        services = [Service(run, bin_path, name, self.kind.programs) for name in names]
        self.service = next((item for item in services if item.known()), services[0])
        self.pid = self.service.pid()
        self.config_file = self._option(self.kind.flag) or config_file or self.kind.config_file

    def _option(self, flag: str) -> str:
        """The value behind an option on the running server's command line, "" when there is none."""
        words = arguments(self.pid) if self.pid is not None and flag else []
        return next((value for word, value in zip(words, words[1:]) if word == flag), "")

    def read(self) -> dict[str, str]:
        """Every file it reads. Raises OSError for one that cannot be read."""
        files: dict[str, str] = {}
        if self.driver is networkd:
            for folder in networkd.FOLDERS:
                # /lib is mostly a link to /usr/lib, where everything would be found a second time.
                if os.path.realpath(folder) == folder:
                    for pattern in ("*.network", "*.network.d/*.conf"):
                        for path in sorted(glob.glob(os.path.join(folder, pattern))):
                            files[path] = read_text(path)
            return files
        includes = kea.includes if self.driver is kea else isc.includes
        queue = [self.config_file]
        while queue:
            path = queue.pop(0)
            if path not in files:
                files[path] = read_text(path)
                queue += includes(files[path])
        return files

    def leases(self, files: dict[str, str], now: float) -> list[contract.Lease]:
        """The leases that have not run out."""
        if self.driver is networkd:
            program = self._bin_path("networkctl")
            command = [str(program), "--no-pager", "--lines=0", "status", "--all"]
            return networkd.leases(self._run(command)[1], now) if program else []
        path = self._lease_file or self._option(self.kind.lease_flag) or str(self._configured_lease_file(files) or "")
        paths = [path] if path else [item for item in self.kind.lease_files if os.path.isfile(item)][:1]
        # While Kea tidies its lease file up, older leases are in a second file.
        texts = [read_text(name) for path in paths for name in (path + ".2", path) if os.path.isfile(name)]
        found = {item.address: item for text in texts for item in self.driver.leases(text, now)}
        return list(found.values())

    def _configured_lease_file(self, files: dict[str, str]) -> Any:
        if self.driver is kea:
            return kea.setting(files, "lease-database", "name")
        return isc.lease_file(files)

    def objection(self, files: dict[str, str]) -> str:
        """What the server's own test says against the files, "" when nothing; networkd has no such test."""
        if self.driver is networkd:
            return ""
        program = self._bin_path(self.kind.programs[0])
        if not program:
            return f"The program {self.kind.programs[0]} was not found on this machine."
        # Beside the real one: AppArmor lets these servers read nothing elsewhere.
        scratch = self.config_file + ".lantern-test"
        flatten = kea.flatten if self.driver is kea else isc.flatten
        try:
            with open(scratch, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle:
                handle.write(flatten(files))
            test = ["-t", scratch] if self.driver is kea else ["-t", "-cf", scratch]
            status, output, error = self._run([program, *test])
        finally:
            if os.path.exists(scratch):
                os.unlink(scratch)
        said = [line for line in (output + "\n" + error).splitlines() if "ERROR" in line or scratch in line]
        return "" if status == 0 else ("\n".join(said) or error or output).replace(scratch, self.config_file).strip()

    def restart(self) -> str:
        """Makes it read its files; networkd does so without letting go of the other interfaces."""
        networkctl = self._bin_path("networkctl") if self.driver is networkd else None
        if networkctl and self.service.pid() is not None and self._run([networkctl, "reload"])[0] == 0:
            return ""
        return self.service.restart()

    def serves(self, seconds: float) -> bool:
        """Whether it listens for DHCP within this time."""
        port = DHCP_PORT if self.driver.handed_out(self.read()) else None
        return self.service.wait(port, seconds)

    def said(self, since: float) -> str:
        """Its last messages."""
        return self.service.said(since)

    def is_outdated(self, files: dict[str, str]) -> bool:
        """Whether it does not run, or reads its files only when started and has not read what is there now."""
        if self.pid is None:
            return True
        return self.driver is not networkd and self.service.is_stale(self.pid, list(files))
