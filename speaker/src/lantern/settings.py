# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of both processes, read once from arguments and environment, then frozen.

Flags and variables have MetalLB's names where MetalLB has them, so that people's manifests and habits keep working.
The rest of the program never looks at the environment.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lantern import __version__

NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
LOG_LEVELS = ("all", "debug", "info", "warn", "error", "none")


class SettingsError(Exception):
    """The settings are unusable; `problems` says all that is wrong, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What both processes need."""

    namespace: str
    """The namespace that holds IPAddressPools and L2Advertisements."""
    lb_class: str = ""
    """Serve Services of exactly this spec.loadBalancerClass; empty: only those without one."""
    log_level: str = "info"
    health_probe_port: int = 17472
    """Port of /healthz, /readyz and /metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings(Settings):
    """What only the controller needs."""

    health_probe_host: str | None = None
    """None: all addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerSettings(Settings):
    """What only the speaker needs."""

    node_name: str
    ignore_exclude_lb: bool = False
    """Announce from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers too."""
    health_probe_host: str | None = "127.0.0.1"
    """The speaker shares the node's network: its port is not for the LAN."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lantern", description="Load balancer for Kubernetes clusters that have none.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"lantern {__version__}")
    shared = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    shared.add_argument("--namespace", help="namespace of the configuration [METALLB_NAMESPACE]")
    shared.add_argument(
        "--lb-class", default="", help="serve only this loadBalancerClass (default: Services without one)"
    )
    shared.add_argument("--log-level", default="info", help=f"one of {', '.join(LOG_LEVELS)} (default: info)")
    shared.add_argument("--health-probe-port", default="17472", help="port of health and metrics (default: 17472)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{controller,speaker}")
    commands.add_parser("controller", parents=[shared], allow_abbrev=False, help="hand out addresses to Services")
    speaker = commands.add_parser("speaker", parents=[shared], allow_abbrev=False, help="announce from this node")
    speaker.add_argument("--node-name", help="name of the Node object of this machine [METALLB_NODE_NAME]")
    speaker.add_argument(
        "--ignore-exclude-lb",
        action="store_true",
        help="announce also from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers",
    )
    return parser


def load(
    argv: Sequence[str], environ: Mapping[str, str], namespace_file: Path = NAMESPACE_FILE
) -> ControllerSettings | SpeakerSettings:
    """The settings of the process that `argv` (without the program's name) asks for.

    Raises SettingsError naming every wrong value at once; argparse ends the program on --help and unknown flags.
    """
    given = _parser().parse_args(argv)
    problems: list[str] = []
    namespace = given.namespace or environ.get("METALLB_NAMESPACE", "") or _file_text(namespace_file)
    if not namespace:
        problems.append("no namespace: pass --namespace or set METALLB_NAMESPACE")
    if given.log_level not in LOG_LEVELS:
        problems.append(f'--log-level "{given.log_level}" is not one of {", ".join(LOG_LEVELS)}')
    port = int(given.health_probe_port) if given.health_probe_port.isdecimal() else -1
    if not 1 <= port <= 65535:
        problems.append(f'--health-probe-port "{given.health_probe_port}" is not a port: give a number from 1 to 65535')
    node_name = ""
    if given.command == "speaker":
        node_name = given.node_name or environ.get("METALLB_NODE_NAME", "")
        if not node_name:
            problems.append("no node name: pass --node-name or set METALLB_NODE_NAME")
    if problems:
        raise SettingsError(problems)
    if given.command == "controller":
        return ControllerSettings(
            namespace=namespace, lb_class=given.lb_class, log_level=given.log_level, health_probe_port=port
        )
    return SpeakerSettings(
        namespace=namespace,
        lb_class=given.lb_class,
        log_level=given.log_level,
        health_probe_port=port,
        node_name=node_name,
        ignore_exclude_lb=given.ignore_exclude_lb,
    )


def _file_text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
