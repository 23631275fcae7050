# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the way to the cluster, without ever telling a key."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import connection
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError


@pytest.mark.parametrize(
    "server, host, expected",
    [
        ("https://127.0.0.1:6443", "192.168.2.11", "https://192.168.2.11:6443"),
        ("https://localhost", "192.168.2.11", "https://192.168.2.11"),
        ("https://[::1]:6443", "fd00::11", "https://[fd00::11]:6443"),
        ("https://192.168.2.11:6443", "10.0.0.1", "https://192.168.2.11:6443"),
        ("https://127.0.0.1:6443", None, "https://127.0.0.1:6443"),
        ("https://127.0.0.1:6443", "", "https://127.0.0.1:6443"),
    ],
)
def test_only_a_loopback_server_gets_another_address(server, host, expected):
    assert connection.rewrite_loopback(server, host) == expected


def test_every_credential_is_found():
    kubeconfig = {
        "clusters": [{"cluster": {"certificate-authority-data": "public"}}],
        "users": [{"user": {"client-key-data": "k", "token": "t"}}, {"user": {"auth-provider": {"id-token": "i"}}}],
    }
    assert connection.secrets_of(kubeconfig) == {"k", "t", "i"}


def test_a_broken_kubeconfig_is_not_quoted():
    with pytest.raises(ClusterError) as caught:
        connection.parse_kubeconfig("users: [\n token: SECRET\n x: y: z", "The kubeconfig /k")
    assert "SECRET" not in str(caught.value)
    assert "The kubeconfig /k is not valid YAML (line" in str(caught.value)


@pytest.mark.parametrize("text", ["", "just text", "clusters: []", "- 1"])
def test_something_else_is_no_kubeconfig(text):
    with pytest.raises(ClusterError, match="is not a kubeconfig"):
        connection.parse_kubeconfig(text, "The file")


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    with pytest.raises(ClusterError, match=r"nowhere cannot be read: No such file.*lantern_kubeconfig"):
        connection.read_kubeconfig(str(tmp_path / "nowhere"))
