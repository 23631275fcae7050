# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations and Services that people's write-ups tell to apply: as they stand, by kubectl, on a real API server.

The controller is there first and is not ready, as those write-ups show it; the first address of the pool is the first
one handed out.
"""

from __future__ import annotations

import subprocess

import pytest
from lablib.kube import ApiServer
from lablib.objects import address
from lablib.process import Start, eventually

OLD = """
apiVersion: v1
kind: ConfigMap
metadata:
  namespace: metallb-system
  name: config
data:
  config: |
    address-pools:
    - name: {pool}
      protocol: layer2
      addresses:
      - {addresses}
"""
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
NEW = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: default-pool
  namespace: metallb-system
spec:
  addresses:
  - 10.10.1.33-10.10.1.63
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: dns
  namespace: metallb-system
spec:
  addresses:
  - 10.10.1.65/32
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: web
  namespace: metallb-system
spec:
  addresses:
  - 10.10.1.64/32
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: default
  namespace: metallb-system
spec:
  ipAddressPools:
  - default-pool
  - web
  - dns
"""


def apply(kube: ApiServer, text: str) -> None:
    command = [str(kube.binaries / "kubectl"), f"--kubeconfig={kube.kubeconfig}", "apply", "-f", "-"]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        # A range that leaves its /24.
        (OLD.format(pool="default", addresses="192.168.0.230-192.168.1.250"), "192.168.0.230"),
        (OLD.format(pool="default", addresses="192.168.2.10-192.168.2.49"), "192.168.2.10"),
        (OLD.format(pool="default", addresses="192.168.122.2-192.168.122.10"), "192.168.122.2"),
        (OLD.format(pool="address-pool-1", addresses="192.168.2.128/25"), "192.168.2.128"),
        (NEW, "10.10.1.33"),
    ],
)
def test_configuration_applies_as_it_stands(kube: ApiServer, start: Start, text: str, first: str) -> None:
    controller = start("controller")
    apply(kube, SERVICE)
    eventually(lambda: controller.get("/readyz")[1].startswith("no configuration"), 10, "not ready yet")
    assert address(kube) is None
    apply(kube, text)
    eventually(lambda: controller.get("/readyz")[0] == 200, 5, "ready")
    assert eventually(lambda: address(kube), 5, "an address") == first
