# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From arguments and environment, read once, to settings.

Flags and variables have MetalLB's names where MetalLB has them, so that people's manifests and habits keep working.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lantern import __version__
from lantern.gossip.config import MAX_LABEL_BYTES
from lantern.l2.announcing import Options
from lantern.pools import Problem, parse_address, parse_network
from lantern.settings import (
    ControllerSettings,
    ConvertSettings,
    ExplainSettings,
    GossipSettings,
    MembersSettings,
    SpeakerSettings,
)

NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
LOG_LEVELS = ("all", "debug", "info", "warn", "error", "none")
_DEFAULT_NAMESPACE = "metallb-system"
_SECONDS = re.compile(r"\d+(\.\d+)?")


class SettingsError(Exception):
    """The settings are unusable; `problems` says all that is wrong, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def load(
    argv: Sequence[str], environ: Mapping[str, str], namespace_file: Path = NAMESPACE_FILE
) -> ControllerSettings | SpeakerSettings | ConvertSettings | ExplainSettings | MembersSettings:
    """The settings of the command that `argv` (without the program's name) asks for.

    Raises SettingsError naming every wrong value at once; argparse ends the program on --help and unknown flags.
    """
    given = _parser().parse_args(argv)
    if given.command == "convert":
        return ConvertSettings(file=given.file, namespace=given.namespace)
    if given.command == "members":
        return MembersSettings(port=int(given.health_probe_port))
    namespace = given.namespace or environ.get("METALLB_NAMESPACE", "") or _file_text(namespace_file)
    if given.command == "explain":
        return _explain(given, namespace or _DEFAULT_NAMESPACE)
    problems: list[str] = []
    shared = _shared(given, environ, namespace, problems)
    settings: ControllerSettings | SpeakerSettings | None
    if given.command == "controller":
        problems += _controller_problems(given)
        settings = None if problems else _controller(given, shared)
    else:
        node_name = given.node_name or environ.get("METALLB_NODE_NAME", "")
        if not node_name:
            problems.append("no node name: pass --node-name or set METALLB_NODE_NAME")
        problems += _speaker_problems(given)
        gossip = _gossip(given, environ, problems)
        settings = None if problems else _speaker(given, shared, node_name, gossip)
    if settings is None:
        raise SettingsError(problems)
    return settings


def _shared(
    given: argparse.Namespace, environ: Mapping[str, str], namespace: str, problems: list[str]
) -> dict[str, Any]:
    """The fields of Settings; what is wrong with them is added to `problems`."""
    if not namespace:
        problems.append("no namespace: pass --namespace or set METALLB_NAMESPACE")
    if given.log_level not in LOG_LEVELS:
        problems.append(f'--log-level "{given.log_level}" is not one of {", ".join(LOG_LEVELS)}')
    port = int(given.health_probe_port) if given.health_probe_port.isdecimal() else -1
    if not 1 <= port <= 65535:
        problems.append(f'--health-probe-port "{given.health_probe_port}" is not a port: give a number from 1 to 65535')
    return {
        "namespace": namespace,
        "lb_class": given.lb_class,
        "log_level": given.log_level,
        "health_probe_port": port,
        "config_map": given.config,
        "pod_name": environ.get("METALLB_POD_NAME", ""),
        "pod_uid": environ.get("METALLB_POD_UID", ""),
    }


def _controller(given: argparse.Namespace, shared: dict[str, Any]) -> ControllerSettings:
    return ControllerSettings(
        **shared,
        lease_duration=float(given.lease_duration),
        lease_renew=float(given.lease_renew),
        lans=tuple(given.lan),
        router=given.router,
        memory_size=int(given.memory_size),
    )


def _gossip(given: argparse.Namespace, environ: Mapping[str, str], problems: list[str]) -> GossipSettings:
    """MetalLB's flags and variables, and the label; what is wrong with them is added to `problems`."""
    address = given.ml_bindaddr or environ.get("METALLB_ML_BIND_ADDR", "")
    port = given.ml_bindport or environ.get("METALLB_ML_BIND_PORT", "") or "7946"
    if address and isinstance(found := parse_address(address, "--ml-bindaddr"), Problem):
        problems.append(found.message)
    if len(given.gossip_label.encode()) > MAX_LABEL_BYTES:
        problems.append(f'--gossip-label "{given.gossip_label}" is too long: give at most {MAX_LABEL_BYTES} bytes')
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        problems.append(f'--ml-bindport "{port}" is not a port: give a number from 1 to 65535')
        return GossipSettings()
    folder = given.ml_secret_key_path or environ.get("METALLB_ML_SECRET_KEY_PATH", "")
    return GossipSettings(bind_address=address, bind_port=int(port), secret_folder=folder, label=given.gossip_label)


def _speaker(
    given: argparse.Namespace, shared: dict[str, Any], node_name: str, gossip: GossipSettings
) -> SpeakerSettings:
    return SpeakerSettings(
        **shared,
        node_name=node_name,
        gossip=gossip,
        ignore_exclude_lb=given.ignore_exclude_lb,
        layer2=Options(
            refresh_seconds=float(given.announce_interval),
            probe_seconds=float(given.probe_time),
            pings_per_second=int(given.ping_rate),
        ),
        elect_by_hash=given.election == "hash",
        hold_seconds=float(given.hold_time),
        answer_ping=int(given.ping_rate) > 0,
    )


def _explain(given: argparse.Namespace, namespace: str) -> ExplainSettings:
    home, _, name = given.name.rpartition("/")
    return ExplainSettings(
        service=(home or "default", name),
        namespace=namespace,
        lb_class=given.lb_class,
        config_map=given.config,
        ignore_exclude_lb=given.ignore_exclude_lb,
        port=given.health_probe_port,
    )


def _controller_problems(given: argparse.Namespace) -> list[str]:
    """What is wrong with the flags that only the controller has."""
    problems: list[str] = []
    seconds = {"--lease-duration": given.lease_duration, "--lease-renew": given.lease_renew}
    for flag, text in seconds.items():
        if not _SECONDS.fullmatch(text) or float(text) <= 0:
            problems.append(f'{flag} "{text}" is not a number of seconds: give one such as 3 or 0.5')
    if not problems and float(given.lease_duration) < 2 * float(given.lease_renew) + 1:
        short = f"--lease-duration {given.lease_duration} is too short for --lease-renew {given.lease_renew}"
        problems.append(f"{short}: it must be at least twice as long and a second more")
    for text in given.lan:
        if isinstance(network := parse_network(text, "--lan"), Problem):
            problems.append(network.message)
    if given.router and isinstance(address := parse_address(given.router, "--router"), Problem):
        problems.append(address.message)
    if not given.memory_size.isdecimal():
        problems.append(f'--memory-size "{given.memory_size}" is not a number of Services: give one such as 2000')
    return problems


def _speaker_problems(given: argparse.Namespace) -> list[str]:
    """What is wrong with the flags that only the speaker has."""
    problems: list[str] = []
    durations = {
        "--announce-interval": given.announce_interval,
        "--probe-time": given.probe_time,
        "--hold-time": given.hold_time,
    }
    for flag, text in durations.items():
        if not _SECONDS.fullmatch(text):
            problems.append(f'{flag} "{text}" is not a number of seconds: give one such as 0.5, or 0 for never')
    if not given.ping_rate.isdecimal():
        problems.append(
            f'--ping-rate "{given.ping_rate}" is not a number of pings: give one such as 1000, or 0 for none'
        )
    return problems


def _file_text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


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
    shared.add_argument(
        "--config", default="config", help="name of the old ConfigMap that counts beside the objects (default: config)"
    )
    names = "{controller,speaker,convert,explain,members}"
    commands = parser.add_subparsers(dest="command", required=True, metavar=names)

    def command(name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=parents, allow_abbrev=False, help=text)

    _add_controller(command("controller", "hand out addresses to Services", shared))
    _add_speaker(command("speaker", "announce from this node", shared))
    _add_convert(command("convert", "print the custom resources for an old ConfigMap (MetalLB 0.3 to 0.12)"))
    _add_explain(command("explain", "say why a Service has its address, or none, and who announces it"))
    members = command("members", "show which speakers this node's speaker knows (run it in the speaker's pod)")
    members.add_argument("--health-probe-port", type=int, default=17472, help="the speaker's (default: 17472)")
    return parser


def _add_controller(controller: argparse.ArgumentParser) -> None:
    controller.add_argument(
        "--lan", action="append", default=[], help="CIDR of the home's network (repeatable): warn of pools outside it"
    )
    controller.add_argument("--router", default="", help="address of the router: warn of pools that hold it")
    controller.add_argument(
        "--lease-duration", default="3", help="seconds until a dead controller is replaced (default: 3)"
    )
    controller.add_argument("--lease-renew", default="1", help="seconds between renewals of the lease (default: 1)")
    controller.add_argument(
        "--memory-size", default="2000", help="Services whose address is remembered when they are gone (default: 2000)"
    )


def _add_speaker(speaker: argparse.ArgumentParser) -> None:
    speaker.add_argument("--node-name", help="name of the Node object of this machine [METALLB_NODE_NAME]")
    speaker.add_argument(
        "--ignore-exclude-lb",
        action="store_true",
        help="announce also from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers",
    )
    speaker.add_argument(
        "--announce-interval", default="120", help="seconds between reminders by ARP and NDP, 0: none (default: 120)"
    )
    speaker.add_argument(
        "--probe-time", default="0.5", help="seconds to ask who has a new address, 0: do not (default: 0.5)"
    )
    speaker.add_argument(
        "--election",
        choices=("count", "hash"),
        default="count",
        help="who owns an address: the node with the fewest, or the one by MetalLB's hash (default: count)",
    )
    speaker.add_argument(
        "--hold-time", default="60", help="seconds until a new node is given addresses of others (default: 60)"
    )
    speaker.add_argument("--ml-bindaddr", help="own address for finding other speakers [METALLB_ML_BIND_ADDR]")
    speaker.add_argument("--ml-bindport", help="port for that (default: 7946) [METALLB_ML_BIND_PORT]")
    speaker.add_argument(
        "--ml-secret-key-path", help="folder with the key that speakers share [METALLB_ML_SECRET_KEY_PATH]"
    )
    speaker.add_argument(
        "--gossip-label", default="", help="listen only to speakers with this label (default: none, as MetalLB's)"
    )
    speaker.add_argument("--ping-rate", default="1000", help="pings answered a second, 0: answer none (default: 1000)")


def _add_convert(convert: argparse.ArgumentParser) -> None:
    convert.add_argument("file", nargs="?", default="-", help="ConfigMap, or the text inside (default: standard input)")
    convert.add_argument("--namespace", default="", help="namespace of the resources (default: the ConfigMap's)")


def _add_explain(explain: argparse.ArgumentParser) -> None:
    explain.add_argument("kind", choices=["service"])
    explain.add_argument("name", metavar="NAMESPACE/NAME", help="the Service")
    explain.add_argument("--namespace", help=f"namespace of the configuration (default: {_DEFAULT_NAMESPACE})")
    explain.add_argument("--lb-class", default="", help="as the controller's")
    explain.add_argument("--config", default="config", help="as the controller's")
    explain.add_argument("--ignore-exclude-lb", action="store_true", help="as the speakers'")
    explain.add_argument("--health-probe-port", type=int, default=17472, help="the speaker's (default: 17472)")
