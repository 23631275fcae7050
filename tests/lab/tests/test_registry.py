# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images, and the way from a node to the LAN's registry."""

from __future__ import annotations

import tomllib

import pytest
from homelab import registry
from homelab.shell import LabError


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("somebody/thing", "docker.io/somebody/thing:latest"),
        ("quay.io/clcollins/kube-verify:01", "quay.io/clcollins/kube-verify:01"),
        ("registry.lan:5000/a/b:2", "registry.lan:5000/a/b:2"),
        ("localhost/web:1", "localhost/web:1"),
    ],
)
def test_names_are_completed_as_container_runtimes_do(image: str, whole: str) -> None:
    assert registry.full_name(image) == whole


def test_an_image_named_by_digest_is_refused() -> None:
    with pytest.raises(LabError, match="nginx@sha256"):
        registry.full_name("nginx@sha256:" + 64 * "0")


def test_the_registrys_own_name_is_not_part_of_the_place_in_it() -> None:
    assert registry.repository(f"{registry.NAME}:5000/team/tool:3") == "team/tool:3"
    assert registry.repository("quay.io/team/tool:3") == "quay.io/team/tool:3"


def test_nodes_ask_the_lans_registry_under_the_name_an_image_is_pushed_by() -> None:
    settings = tomllib.loads(registry.mirrors()["/etc/containerd/certs.d/docker.io/hosts.toml"])
    (url,) = settings["host"]
    assert settings["host"][url]["override_path"]
    place, _, _ = registry.repository("nginx").rpartition("/library")
    assert url == f"http://{registry.NAME}:{registry.PORT}/v2/{place}"
    own = tomllib.loads(registry.mirrors()[f"/etc/containerd/certs.d/{registry.NAME}:{registry.PORT}/hosts.toml"])
    assert list(own["host"]) == [f"http://{registry.NAME}:{registry.PORT}"]
