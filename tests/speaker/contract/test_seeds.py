# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations and Services that people's write-ups tell to apply: as they stand, by kubectl, on a real API server.

The controller is there first and is not ready, as those write-ups show it; the first address of the pool is the first
one handed out.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lablib.kube import ApiServer
from lablib.objects import address
from lablib.process import Start, eventually

# One folder for each write-up; tests/seeds follows them from the first step to the last.
MANIFESTS = Path(__file__).resolve().parents[2] / "seeds/manifests"
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: guestbook
    tier: frontend
  ports:
  - name: http
    port: 80
    protocol: TCP
  type: LoadBalancer
"""


def apply(kube: ApiServer, text: str) -> None:
    command = [str(kube.binaries / "kubectl"), f"--kubeconfig={kube.kubeconfig}", "apply", "-f", "-"]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize(
    ("manifest", "first"),
    [
        # A range that leaves its /24.
        ("raspbian/config.yml", "192.168.0.230"),
        ("guestbook/metallb-config.yaml", "192.168.2.10"),
        ("three_pools/pools.yaml", "10.10.1.33"),
        ("libvirt/metallb-config.yaml", "192.168.122.2"),
        ("kube_verify/config.yaml", "192.168.2.128"),
    ],
)
def test_configuration_applies_as_it_stands(kube: ApiServer, start: Start, manifest: str, first: str) -> None:
    controller = start("controller")
    apply(kube, SERVICE)
    eventually(lambda: controller.get("/readyz")[1].startswith("no configuration"), 10, "not ready yet")
    assert address(kube) is None
    apply(kube, (MANIFESTS / manifest).read_text())
    eventually(lambda: controller.get("/readyz")[0] == 200, 5, "ready")
    assert eventually(lambda: address(kube), 5, "an address") == first
