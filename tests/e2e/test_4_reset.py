# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""reset.yml leaves router, nodes and cluster as they were; then the same again, as installed collection and as root."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, Home

FIRST_RANGE = "dhcp-range=192.168.2.2,192.168.2.254,12h\n"


@pytest.fixture(scope="module")
def reset(home: Home) -> None:
    done = home.play("playbooks/reset.yml")
    assert done.returncode == 0, done.output
    assert {"home-router", "node1", "node2", "node3"} <= set(done.changed), done.output


def test_a_look_beforehand_shows_all_stages(home: Home, reset: None, tmp_path: Path) -> None:
    """Nothing is there that a later stage builds on: no kinds, no namespace, no image. What it changes, others find."""
    looked = home.site("--check", "--diff", "--extra-vars", f"lantern_cache_dir={tmp_path}")
    assert looked.returncode == 0, looked.output
    assert set(looked.changed) == {"home-router", "node1", "node2", "node3"}
    for line in (
        f"-{FIRST_RANGE}",
        "+net.ipv4.ip_forward = 1\n",
        "+localhost/lantern:",
        "+++ after: IPAddressPool metallb-system/default\n",
        "+++ after: DaemonSet metallb-system/speaker\n",
    ):
        assert line in looked.output, looked.output
    assert re.search("demo/web +pending +Service +bad", looked.output), "verify only tells"
    assert not any(tmp_path.iterdir())


def test_the_router_hands_out_what_it_did(home: Home, reset: None) -> None:
    text = home.on("router", "cat /etc/dnsmasq.conf")
    assert text.count("dhcp-range=") == 1
    assert FIRST_RANGE in text
    assert "lantern" not in text.lower()
    assert home.on("router", "systemctl is-active dnsmasq") == "active\n"


def test_nothing_of_it_is_left_on_the_nodes(home: Home, reset: None) -> None:
    for node in ("node1", "node2", "node3"):
        assert (
            "lantern"
            not in home.on(node, "ls /etc/sysctl.d /etc/systemd/system /var/lib; ctr -n k8s.io images ls -q").lower()
        )


def test_nothing_of_it_is_left_in_the_cluster(home: Home, reset: None) -> None:
    names = home.kubectl(
        "get", "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings", "--output=name"
    )
    assert "metallb" not in names
    assert "lantern" not in names


def test_the_service_waits_for_an_address_again(home: Home, reset: None) -> None:
    assert home.service_address() == ""
    annotations = home.get("--namespace=demo", "service", "web")["metadata"].get("annotations", {})
    assert "metallb.io/ip-allocated-from-pool" not in annotations
    assert home.curl("192.168.2.128") == ""


def test_a_second_reset_changes_nothing(home: Home, reset: None) -> None:
    again = home.play("playbooks/reset.yml")
    assert again.returncode == 0, again.output
    assert again.changed == {}, {host: again.task_changed(host) for host in again.changed}


def test_the_built_collection_does_the_same_for_root(home: Home, reset: None, tmp_path: Path) -> None:
    """Built, installed into an empty environment, run from elsewhere, logged in as root instead of by sudo."""
    built = home.run("ansible-galaxy", "collection", "build", "--output-path", str(tmp_path))
    assert built.returncode == 0, built.stderr
    archive = next(tmp_path.glob("homelab-lantern-*.tar.gz"))
    installed = home.run(
        "ansible-galaxy", "collection", "install", "--offline", "--collections-path", str(tmp_path), str(archive)
    )
    assert installed.returncode == 0, installed.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    inventory = yaml.safe_load(Path(home.lab("inventory").strip()).read_text())
    inventory["all"]["vars"]["ansible_user"] = "root"
    (elsewhere / "inventory.yml").write_text(yaml.safe_dump(inventory))
    run = home.play(
        "homelab.lantern.site", "--inventory=inventory.yml", cwd=elsewhere, ANSIBLE_COLLECTIONS_PATH=str(tmp_path)
    )
    assert run.returncode == 0, run.output
    assert home.service_address() == "192.168.2.128"
    assert "The lantern is lit." in home.curl("192.168.2.128")


def test_the_example_inventory_fits_the_lab(home: Home) -> None:
    """A user's copy of inventory.example, with this lab's login, changes nothing in what the lab's own made."""
    example = yaml.safe_load((PROJECT / "inventory.example").read_text())
    ours = yaml.safe_load(Path(home.lab("inventory").strip()).read_text())
    for name in ("ansible_user", "ansible_ssh_common_args", "lantern_cache_dir", "prepare_packages_offline"):
        example["all"]["vars"][name] = ours["all"]["vars"][name]
    for name in ("deploy_base_image", "deploy_base_image_archive"):
        example["all"]["vars"][name] = ours["all"]["vars"][name]
    copy = Path(home.lab("inventory").strip()).with_name("example.yml")
    copy.write_text(yaml.safe_dump(example))
    run = home.site(f"--inventory={copy}")
    assert run.returncode == 0, run.output
    assert run.changed == {}, {host: run.task_changed(host) for host in run.changed}
