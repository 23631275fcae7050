# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options by which every module of Lantern reaches the cluster (see module_utils/_cluster/connection.py)."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment homelab.lantern.cluster."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file on the host where the module runs.
      - Mutually exclusive with O(kubeconfig_content); one of the two is required.
    type: path
  kubeconfig_content:
    description:
      - The kubeconfig itself, as text.
      - It is never printed; keys, tokens and passwords in it are masked in everything that the module returns.
    type: str
  context:
    description: Context of the kubeconfig to use. Its current context if not set.
    type: str
  api_host:
    description:
      - Address that takes the place of the API server's if the kubeconfig names a loopback address there.
      - k3s writes such a file; it is of use on the control plane node only.
    type: str
  request_timeout:
    description: Seconds that one request to the API server may take.
    type: int
    default: 20
attributes:
  action_group:
    description: Use C(group/homelab.lantern.cluster) in C(module_defaults) to set the way to the cluster once.
    support: full
    membership:
      - homelab.lantern.cluster
requirements:
  - kubernetes >= 28.1.0 (Python package)
"""
