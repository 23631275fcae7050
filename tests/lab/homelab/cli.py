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
from .shell import LabError, paint, run
from .topology import Topology, TopologyError, plan


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
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

    cable = commands.add_parser("cable", help="pull or plug a host's LAN cable")
    cable.add_argument("host")
    cable.add_argument("state", choices=("cut", "join"))
    cable.add_argument("--keep-carrier", action="store_true", help="with cut: a dead switch port, the link stays up")
    cable.set_defaults(action=_cable)

    power = commands.add_parser("power", help="cut a host's power, give it back, or both")
    power.add_argument("host")
    power.add_argument("state", choices=("off", "on", "reset"))
    power.set_defaults(action=_power)

    image = commands.add_parser("image", help="container images of the nodes")
    image_commands = image.add_subparsers(required=True, metavar="COMMAND")
    load = image_commands.add_parser("load", help="load OCI or docker archives into every node")
    load.add_argument("files", nargs="+", metavar="FILE")
    load.set_defaults(action=_image_load)
    return parser


def _inside(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run one of `inside`'s commands inside the world."""
    command = world.enter([sys.executable, "-m", "homelab.inside", *arguments])
    kubernetes = paths.state() / "kubernetes"
    env = {**os.environ, "LAB_KUBERNETES": kubernetes.read_text() if kubernetes.exists() else ""}
    return subprocess.run(command, text=True, stdout=subprocess.PIPE if capture else None, env=env)


def _up(options: argparse.Namespace) -> int:
    topology = plan(
        nodes=options.nodes,
        lan=options.lan,
        first_node=options.first_node,
        kubernetes=not options.no_kubernetes,
        proxy_mode=options.proxy_mode,
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
    from . import artifacts, images, rootfs

    rootfs.host()
    images.base_archive()
    state = paths.state()
    (state / "ssh").mkdir(parents=True)
    if topology.kubernetes:
        images.store()
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
    return _inside("cable", options.host, "dead-port" if options.keep_carrier else options.state).returncode


def _power(options: argparse.Namespace) -> int:
    return _inside("power", options.host, options.state).returncode


def _image_load(options: argparse.Namespace) -> int:
    files = [str(Path(file).resolve()) for file in options.files]
    missing = [file for file in files if not Path(file).is_file()]
    if missing:
        raise LabError(f"no such file: {', '.join(missing)}")
    return _inside("image-load", *files).returncode


if __name__ == "__main__":
    sys.exit(main())
