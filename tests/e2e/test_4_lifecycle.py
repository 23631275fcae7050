# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's further life: another version and back, by a registry and back, a second cluster in its inventory, k3s'
own load balancer off and on.

k3s itself is not here: a systemd unit on node1 stands in for it. It reads the settings that Lantern writes, tells its
arguments in the node's annotation and runs or removes ServiceLB's DaemonSet, as k3s does when it starts.
"""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, Home, Play
from visitors import asking

ADDRESS = "192.168.2.128"
# On the router, which speaks plain HTTP.
REGISTRY = "192.168.2.1:5000"
SETTING = "/etc/rancher/k3s/config.yaml.d/60-lantern.yaml"
ADMIN = "--kubeconfig=/etc/kubernetes/admin.conf"
SERVICELB = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: svclb-web, namespace: kube-system}
spec:
  selector: {matchLabels: {app: svclb-web}}
  template:
    metadata: {labels: {app: svclb-web}}
    spec:
      nodeSelector: {kubernetes.io/hostname: nowhere}
      containers: [{name: lb-tcp-80, image: "rancher/klipper-lb:v0.4.9"}]
"""
K3S = f"""
    #!/bin/sh
    set -e
    case $1 in
      kubectl) shift; exec kubectl {ADMIN} "$@" ;;
      server) ;;
      *) echo "unexpected: $*" >&2; exit 1 ;;
    esac
    arguments='"server"' serves=apply
    for name in $(cat /etc/rancher/k3s/config.yaml.d/*.yaml 2>/dev/null | sed -n '/^disable+:/,$s/^ *- //p'); do
      arguments="$arguments,\\"--disable\\",\\"$name\\""
      [ "$name" != servicelb ] || serves=delete
    done
    kubectl {ADMIN} annotate --overwrite node node1 "k3s.io/node-args=[$arguments]"
    kubectl {ADMIN} "$serves" --filename=/etc/rancher/servicelb.yaml || [ "$serves" = delete ]
"""
UNIT = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/local/bin/k3s server\n"


def text(play: Play) -> str:
    return " ".join(play.output.split())


def deploy(home: Home, **variables: object) -> Play:
    return home.site("--tags=deploy", "--extra-vars", json.dumps(variables))


def running_image(home: Home) -> str:
    daemon_set = home.get("--namespace=metallb-system", "daemonset", "speaker")
    image: str = daemon_set["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A lab of its own, as these tests take long and run apart from the others."""
    home = Home("e2e-lifecycle")
    home.set_up()
    yield home
    home.lab("down")


@pytest.fixture(scope="class")
def k3s(home: Home) -> Iterator[None]:
    """The stand-in, with ServiceLB running."""
    files = {
        "/usr/local/bin/k3s": textwrap.dedent(K3S).lstrip(),
        "/etc/systemd/system/k3s.service": UNIT,
        "/etc/rancher/servicelb.yaml": SERVICELB,
    }
    home.on("node1", "mkdir -p /etc/rancher /var/lib/rancher/k3s/server")
    for path, content in files.items():
        home.on("node1", f"cat > {path}", stdin=content)
    home.on("node1", "chmod 755 /usr/local/bin/k3s && systemctl daemon-reload && systemctl restart k3s")
    yield
    home.on("node1", f"systemctl stop k3s; rm -rf /var/lib/rancher /etc/rancher {' '.join(files)}")
    home.on("node1", "systemctl daemon-reload")
    home.kubectl("annotate", "node", "node1", "k3s.io/node-args-")
    home.kubectl("--namespace=kube-system", "delete", "daemonset", "svclb-web", "--ignore-not-found")


def test_another_version_and_back(home: Home, tmp_path: Path) -> None:
    """Going back is going forward to what is installed: the same play, while the page is used."""
    before = running_image(home)
    shutil.copytree(PROJECT / "speaker", tmp_path / "speaker", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    init = tmp_path / "speaker/src/lantern/__init__.py"
    init.write_text(init.read_text().replace('__version__ = "', '__version__ = "9.'))
    with asking(home, [ADDRESS]) as pages:
        there = deploy(home, deploy_source=str(tmp_path / "speaker"))
        assert there.returncode == 0, there.output
        assert running_image(home).startswith("localhost/lantern:9.")
        back = deploy(home)
        assert back.returncode == 0, back.output
    # Not one, where MetalLB's speakers may lose some as they end: Lantern's hand their addresses over before.
    assert pages[ADDRESS]["asked"] > 100 and pages[ADDRESS]["failed"] == 0, pages
    assert running_image(home) == before
    assert home.service_address() == ADDRESS and "The lantern is lit." in home.curl(ADDRESS)
    assert "localhost/lantern:9." not in home.on("node2", "ctr -n k8s.io images ls -q")


def test_by_a_registry_and_back(home: Home) -> None:
    """The nodes' runtime is told of the registry by its own settings; what was put into the nodes goes and comes."""
    before = running_image(home)
    settings = f"/etc/containerd/certs.d/{REGISTRY}"
    nodes = [f"node{number}" for number in range(1, 4)]
    for node in nodes:
        home.on(node, f"mkdir -p {settings} && cat > {settings}/hosts.toml", stdin=f'[host."http://{REGISTRY}"]\n')
    options = {"deploy_registry": f"{REGISTRY}/home", "deploy_registry_secure": False}
    checked = home.site("--tags=deploy", "--check", "--extra-vars", json.dumps(options))
    assert checked.returncode == 0 and running_image(home) == before, checked.output
    done = deploy(home, **options)
    assert done.returncode == 0, done.output
    assert running_image(home) == before.replace("localhost", f"{REGISTRY}/home")
    assert "The lantern is lit." in home.curl(ADDRESS)
    for node in nodes:
        assert "localhost/lantern:" not in home.on(node, "ctr -n k8s.io images ls -q")
    again = deploy(home, **options)
    assert again.returncode == 0 and again.changed == {}, again.output

    back = deploy(home)
    assert back.returncode == 0, back.output
    assert running_image(home) == before and "The lantern is lit." in home.curl(ADDRESS)


def test_a_pool_of_one_node(home: Home) -> None:
    """The inventory says who announces a pool; an advertisement that is not needed any more goes."""
    pools = [
        {"name": "default", "addresses": ["192.168.2.128-192.168.2.199"]},
        {"name": "dmz", "addresses": ["192.168.2.200-192.168.2.209"], "nodes": ["node3"], "interfaces": ["eth0"]},
    ]
    limited = home.site("--tags=plan,reserve,deploy", "--extra-vars", json.dumps({"lantern_pools": pools}))
    assert limited.returncode == 0, limited.output
    assert "dmz  announced by node3 on eth0" in limited.output
    names = home.kubectl("--namespace=metallb-system", "get", "l2advertisements", "--output=name").split()
    assert [name.rpartition("/")[2] for name in names] == ["lantern", "lantern-dmz"]
    # Half a dozen, of which two nodes that may announce would each have some.
    services = [f"dmz-{number}" for number in range(6)]
    for name in services:
        home.kubectl("create", "service", "loadbalancer", name, "--tcp=80:80", "--namespace=demo")
        home.kubectl("annotate", "service", name, "--namespace=demo", "metallb.io/address-pool=dmz")
        home.kubectl("patch", "service", name, "--namespace=demo", "--patch", '{"spec": {"selector": {"app": "web"}}}')
    macs = {host["mac"]: host["name"] for host in json.loads(home.lab("status", "--json"))["hosts"]}
    for number in range(6):
        # Asked until somebody answers, for at most 20 s.
        said = home.on("client", f"arping -c 1 -w 20 192.168.2.{200 + number}")
        assert [name for mac, name in macs.items() if mac in said.lower()] == ["node3"], said
    for name in services:
        home.kubectl("delete", "service", name, "--namespace=demo")
    back = home.site("--tags=plan,reserve,deploy")
    assert back.returncode == 0, back.output
    names = home.kubectl("--namespace=metallb-system", "get", "l2advertisements", "--output=name").split()
    assert [name.rpartition("/")[2] for name in names] == ["lantern"]


def test_all_stages_for_one_of_two_clusters(home: Home) -> None:
    """The other one is in the same LAN, and nobody is there: it is asked nothing, and the router keeps its pool."""
    before = home.on("router", "cat /etc/dnsmasq.conf")
    path = Path(home.lab("inventory").strip())
    known = yaml.safe_load(path.read_text())
    here = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    ours = ("attic-controller", "home-router", "node1", "node2", "node3")
    known["all"]["children"] |= {
        "ansible_controller": {"hosts": {"attic-controller": here, "cellar-controller": here}},
        "attic": {"hosts": {name: {} for name in ours}},
        "cellar": {
            "hosts": {"cellar-controller": {}, "cellar1": {"ansible_host": "192.168.2.99"}},
            "vars": {"lantern_pools": [{"name": "default", "addresses": ["192.168.2.110-192.168.2.119"]}]},
        },
    }
    known["all"]["children"]["nodes"]["hosts"]["cellar1"] = {}
    copy = path.with_name("two.yml")
    copy.write_text(yaml.safe_dump(known))

    run = home.site(f"--inventory={copy}", "--extra-vars=lantern_cluster=attic")
    assert run.returncode == 0, run.output
    assert set(run.recap) == set(ours)
    assert set(run.changed) == {"home-router"}, {host: run.task_changed(host) for host in run.changed}
    verified = json.loads((path.parent / "lantern-report/attic/verify.json").read_text())
    assert not verified["broken"] and "demo/web" in {row["subject"] for row in verified["rows"]}
    both = home.on("router", "cat /etc/dnsmasq.conf")
    assert both.count("\ndhcp-range=") == before.count("\ndhcp-range=") + 1
    assert home.kubectl("--namespace=metallb-system", "get", "ipaddresspools", "--output=name").split() == [
        "ipaddresspool.metallb.io/default"
    ]
    alone = home.site("--tags=reserve")
    assert alone.returncode == 0 and home.on("router", "cat /etc/dnsmasq.conf") == before, alone.output


@pytest.mark.usefixtures("k3s")
class TestOnK3s:
    def test_servicelb_is_refused_with_the_way_out(self, home: Home) -> None:
        refused = deploy(home)
        assert refused.returncode != 0
        for words in ("k3s ServiceLB already serves", "k3s server node1", "deploy_disable_servicelb: true"):
            assert words in text(refused)
        assert refused.changed == {}

    def test_servicelb_is_switched_off_on_request(self, home: Home) -> None:
        looked = home.site("--tags=deploy", "--check", "--diff", "--extra-vars", "lantern_disable_servicelb=true")
        assert looked.returncode == 0, looked.output
        assert "disable+:" in looked.output and home.on("node1", f"ls {SETTING}", check=False) == ""

        done = deploy(home, lantern_disable_servicelb=True)
        assert done.returncode == 0, done.output
        assert "disable+:\n  - servicelb" in home.on("node1", f"cat {SETTING}")
        assert "svclb-web" not in home.kubectl("--namespace=kube-system", "get", "daemonsets", "--output=name")
        again = deploy(home, lantern_disable_servicelb=True)
        assert again.returncode == 0 and again.changed == {}, again.output

    def test_reset_can_leave_services_their_addresses(self, home: Home) -> None:
        router = home.on("router", "cat /etc/dnsmasq.conf")
        done = home.play("playbooks/reset.yml", "--extra-vars", "lantern_keep_addresses=true")
        assert done.returncode == 0, done.output
        assert "Services keep their addresses" in text(done)
        assert home.service_address() == ADDRESS
        # Who has just talked to the node still knows where it is; nobody is told any more.
        home.on("client", f"ip neighbour flush to {ADDRESS}")
        assert home.curl(ADDRESS) == ""
        assert home.on("router", "cat /etc/dnsmasq.conf") == router, "nobody else may get the addresses meanwhile"
        assert home.on("node1", f"ls {SETTING}") != "", "ServiceLB would give the Services other addresses"
        left = home.kubectl(
            "--namespace=metallb-system", "get", "ipaddresspools,deployments,daemonsets", "--output=name"
        )
        assert left.split() == ["ipaddresspool.metallb.io/default"]
        again = home.play("playbooks/reset.yml", "--extra-vars", "lantern_keep_addresses=true")
        assert again.returncode == 0 and again.changed == {}, again.output

    def test_a_whole_reset_gives_k3s_its_servicelb_back(self, home: Home) -> None:
        done = home.play("playbooks/reset.yml", "--tags=deploy")
        assert done.returncode == 0, done.output
        assert home.on("node1", f"ls {SETTING}", check=False) == ""
        assert "svclb-web" in home.kubectl("--namespace=kube-system", "get", "daemonsets", "--output=name")
        assert home.service_address() == ""


def test_and_everything_can_be_set_up_again(home: Home) -> None:
    run = home.site()
    assert run.returncode == 0, run.output
    assert home.service_address() == ADDRESS and "The lantern is lit." in home.curl(ADDRESS)
