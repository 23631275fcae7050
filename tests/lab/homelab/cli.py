# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `lab` command: parses arguments, prepares what needs the Internet, and does the rest inside the world."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from . import inventory, paths, world
from .impairment import BadCable
from .shell import LabError, paint, run
from .topology import SYSTEMS, Topology, TopologyError, plan


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    if hasattr(options, "arguments"):
        # argparse takes away the first "--", which kubectl exec needs.
        options.arguments = given[1:]
    try:
        return int(options.action(options) or 0)
    except (LabError, TopologyError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="A whole home network with Kubernetes on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start the lab (does nothing where it is up already)")
    up.add_argument("--nodes", type=int, default=3, metavar="N", help="Kubernetes nodes (default 3)")
    up.add_argument("--lan", default="192.168.2.0/24", metavar="CIDR", help="the home's network")
    up.add_argument("--first-node", metavar="ADDRESS", help="address of node1 (default: the LAN's .11)")
    up.add_argument("--no-kubernetes", action="store_true", help="bare nodes")
    up.add_argument("--proxy-mode", choices=("iptables", "nftables"), default="iptables", help="kube-proxy's mode")
    up.add_argument(
        "--os",
        default="debian",
        metavar="NAME[,NAME…]",
        help=f"the nodes' operating system, one for all or a list by node: {', '.join(SYSTEMS)}",
    )
    up.add_argument(
        "--ipv6",
        nargs="?",
        const="",
        metavar="PREFIX",
        help="IPv6 beside IPv4 on the LAN (a unique local /64 unless one is given) and in the cluster",
    )
    up.add_argument("--second-lan", metavar="CIDR", help="a LAN behind the same router, with the host guest on it")
    up.add_argument("--second-gateway", metavar="ADDRESS", help="what the guest is told instead of the router (wrong)")
    up.set_defaults(action=_up)

    down = commands.add_parser("down", help="stop the lab and leave nothing but caches")
    down.set_defaults(action=_down)

    status = commands.add_parser("status", help="hosts, addresses, power, cables, cluster")
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(action=_status)

    execute = commands.add_parser("exec", help="run a program in a host: lab exec HOST -- CMD…")
    execute.add_argument("host")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    execute.set_defaults(action=_exec)

    for name, action, text in (
        ("kubectl", _kubectl, "kubectl as the cluster's administrator"),
        ("ansible-playbook", _ansible_playbook, "ansible-playbook where the LAN is reachable"),
    ):
        command = commands.add_parser(name, help=text, add_help=False, prefix_chars="\0")
        command.add_argument("arguments", nargs="*")
        command.set_defaults(action=action)

    print_inventory = commands.add_parser("inventory", help="print the path of the lab's Ansible inventory")
    print_inventory.set_defaults(action=_inventory)

    cable = commands.add_parser("cable", help="pull or plug a host's LAN cable, or make it bad")
    cable.add_argument("host")
    cable.add_argument("state", choices=("cut", "join", "impair", "clear"))
    cable.add_argument("--keep-carrier", action="store_true", help="with cut: a dead switch port, the link stays up")
    impair = cable.add_argument_group("with impair")
    impair.add_argument("--delay", type=duration, metavar="MS", help="for each frame, such as 200ms")
    impair.add_argument("--jitter", type=duration, metavar="MS", help="at most so much more or less; keeps the order")
    impair.add_argument("--loss", type=share, metavar="PERCENT", help="of the frames")
    impair.add_argument("--duplicate", type=share, metavar="PERCENT", help="of the frames arrive twice")
    impair.add_argument("--reorder", type=share, metavar="PERCENT", help="of the frames overtake those under way")
    impair.add_argument("--seed", type=int, metavar="N", help="another N: other frames are lost (default 0)")
    impair.add_argument(
        "--direction", choices=("both", "in", "out"), help="towards the host, from it, or both (default); else as it is"
    )
    cable.set_defaults(action=_cable)

    prefix = commands.add_parser("prefix", help="change the LAN's IPv6 prefix under way; without one, print it")
    prefix.add_argument("prefix", nargs="?", metavar="PREFIX", help="a /64, such as fd12:3456:789a:1::/64")
    prefix.set_defaults(action=_prefix)

    power = commands.add_parser("power", help="cut a host's power, give it back, or both")
    power.add_argument("host")
    power.add_argument("state", choices=("off", "on", "reset"))
    power.set_defaults(action=_power)

    image = commands.add_parser("image", help="container images of the nodes")
    image_commands = image.add_subparsers(required=True, metavar="COMMAND")
    load = image_commands.add_parser("load", help="load OCI or docker archives into every node")
    load.add_argument("files", nargs="+", metavar="FILE")
    load.set_defaults(action=_image_load)

    images = commands.add_parser("registry", help="the LAN's registry of container images")
    registry_commands = images.add_subparsers(required=True, metavar="COMMAND")
    push = registry_commands.add_parser("push", help="put an OCI or docker archive into it, under an image's name")
    push.add_argument("file", metavar="FILE")
    push.add_argument("image", metavar="IMAGE", help="as manifests have it, such as nginx or quay.io/somebody/thing:1")
    push.set_defaults(action=_registry_push)
    return parser


def duration(text: str) -> float:
    """Seconds from `200ms`, `0.2s`, or a plain number of milliseconds."""
    number, factor = (text[:-2], 0.001) if text.endswith("ms") else (text, 0.001)
    if text.endswith("s") and not text.endswith("ms"):
        number, factor = text[:-1], 1.0
    return float(number) * factor


def share(text: str) -> float:
    """0 to 1 from a number of percent, such as `5%` or `5`."""
    return float(text.removesuffix("%")) / 100


def _inside(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run one of `inside`'s commands inside the world."""
    command = world.enter([sys.executable, "-m", "homelab.inside", *arguments])
    return subprocess.run(command, text=True, stdout=subprocess.PIPE if capture else None)


def _up(options: argparse.Namespace) -> int:
    topology = plan(
        nodes=options.nodes,
        lan=options.lan,
        first_node=options.first_node,
        kubernetes=not options.no_kubernetes,
        proxy_mode=options.proxy_mode,
        ipv6=options.ipv6,
        second_lan=options.second_lan,
        second_gateway=options.second_gateway,
        systems=options.os.split(","),
    )
    started = time.monotonic()
    # One `up` at a time: the second of two waits, then finds the lab up.
    with (paths.cache() / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _already_up(topology):
            print(f"lab {paths.lab_name()!r} is up")
            return 0
        world.destroy()
        _prepare(topology)
        world.create()
        done = _inside("up")
    if done.returncode:
        print(f"lab: not complete; logs are in {paths.state() / 'logs'}; lab down removes it", file=sys.stderr)
        return done.returncode
    print(f"lab {paths.lab_name()!r} is up after {time.monotonic() - started:.0f} s; see: lab status")
    return 0


def _already_up(topology: Topology) -> bool:
    if world.find() is None or not (paths.state() / "complete").exists():
        return False
    running = Topology.from_json((paths.state() / "topology.json").read_text())
    if running != topology:
        raise LabError("a lab with other settings is up; end it first with: lab down")
    return True


def _prepare(topology: Topology) -> None:
    """Everything that needs the Internet or takes long, from or into the cache; then the state of a new lab."""
    from . import artifacts, images, limits, registry, rootfs

    limits.check(topology)
    for system in sorted({host.system for host in topology.hosts}):
        rootfs.host(system)
    images.base_archive()
    state = paths.state()
    (state / "ssh").mkdir(parents=True)
    if topology.kubernetes:
        images.store()
        registry.store()
        (state / "kubernetes").write_text(str(artifacts.kubernetes()))
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(state / "ssh" / "id_ed25519")])
    (state / "topology.json").write_text(topology.to_json())


def _down(_: argparse.Namespace) -> int:
    world.destroy()
    return 0


def _status(options: argparse.Namespace) -> int:
    done = _inside("status", capture=True)
    if done.returncode:
        return done.returncode
    if options.json:
        print(done.stdout, end="")
        return 0
    report = json.loads(done.stdout)
    ready = report["kubernetes"]["nodes_ready"]
    incomplete = "" if report["complete"] else paint(" (not complete)", "31")
    print(f"lab {report['name']!r}, LAN {report['lan']}{incomplete}")
    for host in report["hosts"]:
        kubernetes = {True: "Ready", False: "NotReady", None: ""}[ready.get(host["name"])]
        good = host["power"] == "on" and host["cable"] == "joined" and kubernetes != "NotReady"
        row = (
            f"  {host['name']:8} {', '.join(host['addresses']) or '-':24} {host['mac']}  power {host['power']:3}  "
            f"cable {host['cable']:9} {kubernetes}"
        )
        print(paint(row, "32" if good else "31"))
        if host["impairment"]:
            print(paint(f"           bad cable: {BadCable.of(host['impairment'])}", "33"))
    return 0


def _exec(options: argparse.Namespace) -> int:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise LabError("nothing to run; try: lab exec client -- ip address")
    world.require()
    Topology.from_json((paths.state() / "topology.json").read_text()).host(options.host)
    runc = ["runc", "--root", str(paths.state() / "world" / "runc"), "exec", "--env", "HOME=/root", "--cwd", "/root"]
    if sys.stdin.isatty() and sys.stdout.isatty():
        runc += ["--tty", "--env", f"TERM={os.environ.get('TERM', 'linux')}"]
    return subprocess.run(world.enter([*runc, options.host, *command])).returncode


def _kubectl(options: argparse.Namespace) -> int:
    world.require()
    kubeconfig = paths.state() / "kubeconfig"
    if not kubeconfig.exists():
        raise LabError("this lab has no cluster")
    program = str(Path((paths.state() / "kubernetes").read_text()) / "kubectl")
    command = world.enter([program, *options.arguments], network_only="client")
    return subprocess.run(command, env={**os.environ, "KUBECONFIG": str(kubeconfig)}).returncode


def _ansible_playbook(options: argparse.Namespace) -> int:
    world.require()
    env = {
        "ANSIBLE_INVENTORY": str(inventory.path()),
        # Kept per lab: a shared SSH connection to 192.168.2.11 would lead into whichever lab opened it first.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(paths.state() / "ssh"),
        # All hosts share this machine's processors, and some have none left for a login.
        "ANSIBLE_TIMEOUT": "60",
        **os.environ,
    }
    program = str(Path(sys.executable).parent / "ansible-playbook")
    return subprocess.run(world.enter([program, *options.arguments], network_only="client"), env=env).returncode


def _inventory(_: argparse.Namespace) -> int:
    world.require()
    print(inventory.path())
    return 0


def _cable(options: argparse.Namespace) -> int:
    if options.keep_carrier and options.state != "cut":
        raise LabError("--keep-carrier goes with cut")
    rules = {
        name: value
        for name in ("delay", "jitter", "loss", "duplicate", "reorder", "seed")
        if (value := getattr(options, name)) is not None
    }
    if options.state != "impair":
        if rules or options.direction:
            raise LabError(f"{', '.join(f'--{name}' for name in rules) or '--direction'} goes with impair")
        if options.state == "clear":
            return _inside("clear", options.host).returncode
        return _inside("cable", options.host, "dead-port" if options.keep_carrier else options.state).returncode
    if not rules.keys() - {"seed"}:
        raise LabError("impair how? For example: lab cable node1 impair --delay 200ms --jitter 50ms --loss 5%")
    directions = {"in": "in", "out": "out"}.get(options.direction, "in,out")
    return _inside("impair", options.host, directions, json.dumps(rules)).returncode


def _prefix(options: argparse.Namespace) -> int:
    if options.prefix:
        return _inside("prefix", options.prefix).returncode
    done = _inside("status", capture=True)
    if done.returncode == 0:
        print(json.loads(done.stdout)["ipv6"] or "this lab has no IPv6")
    return done.returncode


def _power(options: argparse.Namespace) -> int:
    return _inside("power", options.host, options.state).returncode


def _image_load(options: argparse.Namespace) -> int:
    return _inside("image-load", *map(_archive, options.files)).returncode


def _registry_push(options: argparse.Namespace) -> int:
    from . import registry

    world.require()
    if not (paths.state() / "registry").exists():
        raise LabError("this lab was made with --no-kubernetes: it has no registry")
    command = registry.push_command(Path(_archive(options.file)), options.image, "127.0.0.1")
    return subprocess.run(world.enter(command, network_only="router")).returncode


def _archive(file: str) -> str:
    if not Path(file).is_file():
        raise LabError(f"no such file: {file}")
    return str(Path(file).resolve())


if __name__ == "__main__":
    sys.exit(main())
