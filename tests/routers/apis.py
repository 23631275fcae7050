# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for routers' HTTP APIs, behaving as their documentation says; they are not the real thing.

`python3 apis.py KIND` is one at port 80, with systemd's dnsmasq on the same host handing out what it is set to.
"""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# Where a dnsmasq that does what a stand-in is set to has its ranges.
RANGES = Path("/etc/dnsmasq.d/lan.conf")


class RefusalError(Exception):
    """An answer other than HTTP status 200."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


class PiHole:
    """Pi-hole 6: sessions by POST /api/auth, settings below /api/config changed by PATCH with only what is new."""

    user, password = "", "secret"

    def __init__(self) -> None:
        self.config: dict[str, Any] = {
            "dhcp": {
                "active": True, "start": "192.168.2.100", "end": "192.168.2.200", "router": "192.168.2.1",
                "netmask": "", "leaseTime": "24h", "hosts": ["02:00:00:00:00:09,192.168.2.9,printer"],
            },
            "dns": {"hosts": ["192.168.2.5 nas"], "port": 53},
            "misc": {"dnsmasq_lines": []},
        }  # fmt: skip
        self.leases: list[dict[str, Any]] = []
        self.sessions: list[str] = []
        self.restarts = 0

    def dnsmasq_lines(self) -> list[str]:
        """Those that it writes itself."""
        dhcp = self.config["dhcp"]
        return [f"dhcp-range={dhcp['start']},{dhcp['end']},{dhcp['leaseTime']}", *self.config["misc"]["dnsmasq_lines"]]

    def answer(self, method: str, path: str, body: Any, headers: Any) -> Any:
        match method, path:
            case "POST", "/api/auth":
                good = body == {"password": self.password}
                self.sessions += ["sid"] if good else []
                session = {"valid": good, "sid": "sid" if good else None, "message": "password incorrect"}
                if not good:
                    raise RefusalError(401, {"session": session})
                return {"session": session}
            case "DELETE", "/api/auth":
                self.sessions.remove(headers["X-FTL-SID"])
                return None
        if headers.get("X-FTL-SID") not in self.sessions:
            raise RefusalError(401, {"error": {"key": "unauthorized", "message": "Unauthorized", "hint": None}})
        match method, path:
            case "GET", "/api/config":
                return {"config": self.config, "took": 0.001}
            case "GET", "/api/dhcp/leases":
                return {"leases": self.leases}
            case "PATCH", "/api/config":
                for line in body["config"].get("misc", {}).get("dnsmasq_lines", []):
                    if not line.startswith("dhcp-range="):
                        raise RefusalError(
                            400, {"error": {"key": "bad_request", "message": "bad dnsmasq line", "hint": line}}
                        )
                for part, values in body["config"].items():
                    self.config[part].update(values)
                self.restarts += 1
                return {"config": self.config}
        raise RefusalError(404, {"error": {"key": "not_found", "message": "Not found"}})


class RouterOs:
    """RouterOS 7's REST service: every value is a string, PATCH changes the named properties of one entry."""

    user, password = "lantern", "secret"

    def __init__(self) -> None:
        self.pools = [
            {".id": "*1", "name": "default-dhcp", "ranges": "192.168.2.100-192.168.2.200", "total": "101", "used": "1"},
            {".id": "*2", "name": "vpn", "ranges": "10.9.0.2-10.9.0.99"},
        ]
        self.leases = [{".id": "*5", "address": "192.168.2.9", "mac-address": "02:00:00:00:00:09", "dynamic": "false"}]

    def dnsmasq_lines(self) -> list[str]:
        """What hands out the same."""
        return [f"dhcp-range={part.replace('-', ',')},12h" for part in self.pools[0]["ranges"].split(",")]

    def answer(self, method: str, path: str, body: Any, headers: Any) -> Any:
        match method, path:
            case "GET", "/rest/ip/pool":
                return self.pools
            case "GET", "/rest/ip/dhcp-server":
                return [{".id": "*1", "name": "defconf", "address-pool": "default-dhcp", "disabled": "false"}]
            case "GET", "/rest/ip/dhcp-server/lease":
                return self.leases
            case "PATCH", _ if path.startswith("/rest/ip/pool/"):
                row = next((row for row in self.pools if path.endswith("/" + row[".id"])), None)
                if row is None:
                    raise RefusalError(404, {"error": 404, "message": "Not Found"})
                if not body.get("ranges"):
                    raise RefusalError(
                        400, {"error": 400, "message": "Bad Request", "detail": "invalid value for ranges"}
                    )
                row.update(body)
                return row
        raise RefusalError(404, {"error": 404, "message": "Not Found"})


class OpnSense:
    """OPNsense: rows by search…, one by set…, add…, del…; it refuses with status 200; reconfigure takes over."""

    user, password = "key", "secret"

    def __init__(self) -> None:
        self.ranges = {
            "u-1": {"interface": "lan", "start_addr": "192.168.2.100", "end_addr": "192.168.2.200", "description": ""}
        }
        self.subnets = {"s-1": {"subnet": "192.168.2.0/24", "pools": "192.168.2.100-192.168.2.200"}}
        self.hosts: dict[str, dict[str, str]] = {}
        self.leases: list[dict[str, Any]] = []
        self.taken_over: list[str] = []
        self.in_force = copy.deepcopy(self.ranges)

    def dnsmasq_lines(self) -> list[str]:
        """Those that it writes itself, at reconfigure."""
        return [f"dhcp-range={row['start_addr']},{row['end_addr']},12h" for row in self.in_force.values()]

    @staticmethod
    def _rows(table: dict[str, dict[str, str]]) -> dict[str, Any]:
        rows = [{"uuid": uuid, "%interface": "LAN", **row} for uuid, row in table.items()]
        return {"rows": rows, "rowCount": len(rows), "total": len(rows), "current": 1}

    def answer(self, method: str, path: str, body: Any, headers: Any) -> Any:
        words = path.removeprefix("/api/").split("/")
        match words:
            case ["dnsmasq", "settings", "searchRange"]:
                return self._rows(self.ranges)
            case ["dnsmasq", "settings", "searchHost"]:
                return self._rows(self.hosts)
            case ["kea", "dhcpv4", "searchReservation"]:
                return self._rows({})
            case ["kea", "dhcpv4", "searchSubnet"]:
                return self._rows(self.subnets)
            case ["dnsmasq", "leases", "search"]:
                return {**self._rows({}), "rows": self.leases}
            case ["kea", "leases4", "search"]:
                return self._rows({})
            case ["dnsmasq", "settings", "setRange", uuid]:
                self.ranges[uuid].update(body["range"])
                return {"result": "saved"}
            case ["dnsmasq", "settings", "addRange"]:
                if not body["range"].get("start_addr"):
                    return {"result": "failed", "validations": {"range.start_addr": "A value is required."}}
                uuid = f"u-{len(self.ranges) + 1}"
                self.ranges[uuid] = body["range"]
                return {"result": "saved", "uuid": uuid}
            case ["dnsmasq", "settings", "delRange", uuid]:
                del self.ranges[uuid]
                return {"result": "deleted"}
            case ["kea", "dhcpv4", "setSubnet", uuid]:
                self.subnets[uuid].update(body["subnet4"])
                return {"result": "saved"}
            case [service, "service", "reconfigure"]:
                self.taken_over.append(service)
                if service == "dnsmasq":
                    self.in_force = copy.deepcopy(self.ranges)
                return {"status": "ok"}
        raise RefusalError(404, {"status": 404, "message": "Controller not found"})


KINDS: dict[str, Any] = {"pihole": PiHole, "routeros": RouterOs, "opnsense": OpnSense}


def ranges(api: Any) -> str:
    """The text of RANGES."""
    return "\n".join(api.dnsmasq_lines()) + "\n"


@contextmanager
def served(
    api: Any, address: tuple[str, int] = ("127.0.0.1", 0), taken_over: Callable[[], None] = lambda: None
) -> Iterator[str]:
    """The URL at which the stand-in answers, after `taken_over` whenever it may have been changed."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            wanted = "Basic " + base64.b64encode(f"{api.user}:{api.password}".encode()).decode()
            try:
                if api.user and self.headers.get("Authorization") != wanted:
                    raise RefusalError(401, {"error": 401, "message": "Unauthorized"})
                status, answer = 200, api.answer(self.command, self.path, body, self.headers)
            except RefusalError as refusal:
                status, answer = refusal.status, refusal.body
            if self.command != "GET":
                taken_over()
            data = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_one  # noqa: N815

        def log_message(self, *_ignored: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(address, Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Entry point."""
    api = KINDS[sys.argv[1]]()

    def take_over() -> None:
        if RANGES.read_text() != ranges(api):
            RANGES.write_text(ranges(api))
            subprocess.run(["systemctl", "restart", "dnsmasq.service"], check=True)

    with served(api, ("", 80), take_over):
        threading.Event().wait()


if __name__ == "__main__":
    main()
