# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What drivers for servers with an HTTP API share: their configuration as JSON texts, and requests. PRIVATE, pure.

Such a driver has, besides the functions of contract.Driver:

    READS               the requests that read the configuration, by the name of the text
    LEASES              the requests that read the leases; one that is refused is passed over with a warning
    documents(answers)  the texts, from the answers to READS by name
    checks(after)       requests by which the server tests a configuration without taking it
    requests(before, after)  what has to be asked to come from one state to the other
    objection(answer)   why a request was refused although the HTTP status was good, "" when it was not
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, parse_range
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import RECORD, Files, ipv4


class Request(NamedTuple):
    """One HTTP request; `body` is sent as JSON, None for none; `title` names it in messages."""

    title: str
    method: str
    path: str
    body: Any = None


def text(value: Any) -> str:
    """A JSON value as it is compared and shown in diffs."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def load(files: Files, name: str, default: Any) -> Any:
    """The value of a text, `default` when there is none."""
    return json.loads(files[name]) if files.get(name, "").strip() else default


def with_record(files: dict[str, str], record: Any) -> dict[str, str]:
    """The texts with this record, without any when it is empty."""
    rest = {name: value for name, value in files.items() if name != RECORD}
    return {**rest, RECORD: text(record)} if record else rest


def address_range(first: str, last: str = "") -> AddressRange | None:
    """The range between two addresses, or of one; also "first-last" and a network in CIDR notation as `first`."""
    if not last and ("-" in first or "/" in first):
        found = parse_range(first)
        return found if isinstance(found, AddressRange) and found.version == 4 else None
    begin, end = ipv4(first), ipv4(last or first)
    return AddressRange(4, int(begin), int(end)) if begin is not None and end is not None and begin <= end else None
