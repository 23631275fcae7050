# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: the lab, Lantern's playbook against it, and a page fetched from a LAN host at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import yaml

from . import cli, inventory, paths
from .shell import LabError, paint, stage

PROJECT = Path(__file__).resolve().parents[3]
LAB = str(PROJECT / "tests/lab/lab")
WORKLOAD = Path(__file__).parent.parent / "demo.yaml"


def main() -> int:
    started = time.monotonic()
    try:
        print(paint("1. A homelab on this machine", "1"))
        if cli.main(["up"]):
            return 1
        print(paint("2. A web server that asks for a LoadBalancer address", "1"))
        _workload()
        print(paint("3. Lantern: ansible-playbook playbooks/site.yml", "1"))
        fetch()
        recap = site()
        print(paint("4. From a LAN host", "1"))
        _summary(recap, started)
    except LabError as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    return 0


def _lab(*arguments: str) -> str:
    done = subprocess.run([LAB, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"lab {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _workload() -> None:
    with stage("kubectl apply"):
        _lab("kubectl", "apply", "--filename", str(WORKLOAD))
    with stage("its pods are Ready"):
        _lab("kubectl", "--namespace=demo", "rollout", "status", "deployment/web", "--timeout=60s")
    address = _service_address() or "<pending>"
    print(f"  Service demo/web: {address}")


def _service_address() -> str:
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    return _lab("kubectl", "--namespace=demo", "get", "service", "web", f"--output={path}")


def fetch() -> None:
    """Download what the playbook builds from; the lab has no Internet, as a home that is cut off."""
    with stage("downloading what the image is built from (playbooks/fetch.yml)"):
        log = paths.state() / "logs" / "fetch.log"
        # The settings without the hosts: outside the lab, the lab's addresses may be somebody else's.
        settings = yaml.safe_load(inventory.path().read_text())["all"]["vars"]
        settings = {name: value for name, value in settings.items() if not name.startswith("ansible_")}
        command = ["ansible-playbook", "--inventory=/dev/null", f"--extra-vars={json.dumps(settings)}"]
        command.append("playbooks/fetch.yml")
        with log.open("w") as out:
            done = subprocess.run(command, cwd=PROJECT, stdout=out, stderr=subprocess.STDOUT)
        if done.returncode:
            raise LabError(f"fetch.yml failed:\n{_tail(log)}\nwhole log: {log}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text().strip().splitlines()[-25:])


def site() -> dict[str, str]:
    """Run site.yml with a line for each play; returns Ansible's recap by host."""
    log = paths.state() / "logs" / "site.log"
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    process = subprocess.Popen(
        [LAB, "ansible-playbook", "playbooks/site.yml"],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
    )  # fmt: skip
    recap: dict[str, str] = {}
    play, began = "", time.monotonic()
    assert process.stdout is not None, "its output is a pipe"
    with log.open("w") as out:
        for line in process.stdout:
            out.write(line)
            out.flush()
            if line.startswith(("PLAY [", "PLAY RECAP")):
                if play:
                    print(paint(f" {time.monotonic() - began:.1f} s", "2"), flush=True)
                play, began = line[len("PLAY [") :].split("]")[0] if line.startswith("PLAY [") else "", time.monotonic()
                if play:
                    print(f"  {play} …", end="", flush=True)
            elif " ok=" in line and "changed=" in line:
                host, _, counts = line.partition(":")
                recap[host.strip()] = " ".join(counts.split()[:4])
    if process.wait():
        print(paint(" failed", "31"))
        raise LabError(f"site.yml failed:\n{_tail(log)}\nwhole log: {log}")
    return recap


def _summary(recap: dict[str, str], started: float) -> None:
    address = _service_address()
    if not address:
        raise LabError(f"demo/web got no address; see: {LAB} kubectl --namespace=demo describe service web")
    page = _lab("exec", "client", "--", "curl", "--silent", "--show-error", "--max-time", "5", f"http://{address}/")
    status = json.loads(_lab("status", "--json"))
    macs = {host["mac"]: host["name"] for host in status["hosts"]}
    neighbour = _lab("exec", "client", "--", "ip", "neighbour", "show", address).split()
    mac = neighbour[neighbour.index("lladdr") + 1] if "lladdr" in neighbour else "unknown"
    ranges = _lab("exec", "router", "--", "grep", "-h", "^dhcp-range=", "/etc/dnsmasq.conf").split()
    pools = json.loads(_lab("kubectl", "--namespace=metallb-system", "get", "ipaddresspools", "--output=json"))
    rows = [
        ("nodes", ", ".join(f"{h['name']} {h['addresses'][0]}" for h in status["hosts"] if h["kind"] == "node")),
        ("router", f"{status['hosts'][0]['addresses'][0]} hands out {', '.join(r.split('=')[1] for r in ranges)}"),
        *(
            ("reserved pool", f"{pool['metadata']['name']}: {', '.join(pool['spec']['addresses'])}")
            for pool in pools["items"]
        ),
        ("Service", "demo/web"),
        ("its address", paint(address, "1;32")),
        ("answered by", f"{mac}, which is {macs.get(mac, 'no host of this lab')}"),
        ("the page", paint(page.strip(), "1;32")),
        ("playbook", "; ".join(f"{host} {counts}" for host, counts in recap.items())),
    ]
    print()
    for name, value in rows:
        print(f"  {paint(f'{name:>14}', '36')}  {value}")
    lab = os.path.relpath(LAB)
    print(
        f"\nDone in {time.monotonic() - started:.0f} s. The lab stays up:\n"
        f"  look around          {lab} status\n"
        f"                       {lab} kubectl get services --all-namespaces\n"
        f"                       {lab} exec client -- curl http://{address}/\n"
        f"  run the play again   {lab} ansible-playbook playbooks/site.yml      (changed=0)\n"
        f"  stop it              make demo-down"
    )


if __name__ == "__main__":
    sys.exit(main())
