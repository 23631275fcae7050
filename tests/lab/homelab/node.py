# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes node: network, containerd, kubelet, and the marks of its operating system."""

from __future__ import annotations

import json

from . import registry
from .images import PAUSE
from .settings import Setup, dhcp
from .topology import POD_NETWORK, POD_NETWORK6, Host, Topology, address6

# Read by kubeadm's own kubelet unit as well.
KUBELET_DEFAULTS = "/etc/default/kubelet"


def setup(host: Host, topology: Topology) -> Setup:
    files = {"/etc/systemd/network/eth0.network": _eth0(host, topology)}
    if host.system == "raspbian":
        files |= RASPBIAN
    if not topology.kubernetes:
        return Setup(files=files)
    files |= {
        "/etc/containerd/config.toml": CONTAINERD,
        "/etc/cni/net.d/10-lab.conflist": json.dumps(_cni(host, topology), indent=1),
        "/etc/systemd/system/kubelet.service": KUBELET,
        "/etc/systemd/system/pod-masquerade.service": _masquerade(topology),
        **registry.mirrors(),
    }
    if topology.ipv6:
        files[KUBELET_DEFAULTS] = kubelet_defaults(host, topology.ipv6)
    return Setup(files=files, units=("containerd.service", "kubelet.service", "pod-masquerade.service"))


def kubelet_defaults(host: Host, prefix: str) -> str:
    """What makes kubelet report both families' addresses: without a cloud provider it must be told them."""
    return f"KUBELET_EXTRA_ARGS=--node-ip={host.address},{address6(host, prefix)}\n"


def _eth0(host: Host, topology: Topology) -> str:
    """The address, and the routes to the pods of the other nodes.

    IPv6 routes lead over link-local addresses, which stay when the home's prefix changes.
    """
    others = [node for node in topology.nodes if node is not host]
    routes = [(node.pod_network, node.address) for node in others]
    if topology.ipv6:
        routes += [(node.pod_network6, node.link_local) for node in others]
    text = "".join(f"\n[Route]\nDestination={pods}\nGateway={gateway}\n" for pods, gateway in routes)
    return dhcp(host, ipv6=topology.ipv6 is not None, forward=True) + text


def _cni(host: Host, topology: Topology) -> dict[str, object]:
    """Pods on a bridge of their own per node; the routes between the nodes' pod networks are in eth0's settings."""
    subnets = [host.pod_network, *([host.pod_network6] if topology.ipv6 else [])]
    defaults = ["0.0.0.0/0", *(["::/0"] if topology.ipv6 else [])]
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": subnet}] for subnet in subnets],
            "routes": [{"dst": destination} for destination in defaults],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge, portmap]}


def _masquerade(topology: Topology) -> str:
    rules = [("iptables", POD_NETWORK), *([("ip6tables", POD_NETWORK6)] if topology.ipv6 else [])]
    lines = "".join(
        f"ExecStart=/usr/sbin/{program} -w -t nat -A POSTROUTING -s {pods} ! -d {pods} -j MASQUERADE\n"
        for program, pods in rules
    )
    return (
        "[Unit]\nDescription=Pods leave the cluster with their node's address\nAfter=network.target\n\n"
        f"[Service]\nType=oneshot\nRemainAfterExit=yes\n{lines}\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


# restrict_oom_score_adj: a machine without CAP_SYS_RESOURCE may not lower the score of a container.
CONTAINERD = f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{registry.MIRRORS}"
"""

KUBELET = f"""[Unit]
Description=kubelet: the Kubernetes node agent
After=containerd.service network.target
Wants=containerd.service
ConditionPathExists=/var/lib/kubelet/config.yaml
StartLimitIntervalSec=0

[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-{KUBELET_DEFAULTS}
ExecStart=/usr/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \\
  --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml \\
  $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""

# What tells Raspberry Pi OS (its 32-bit edition calls itself Raspbian) from Debian. The device tree is mounted at
# boot, where a Pi has it under /sys; its other name, /proc/device-tree, only a kernel can make.
RASPBIAN = {
    "/etc/os-release": (
        'PRETTY_NAME="Raspbian GNU/Linux 12 (bookworm)"\nNAME="Raspbian GNU/Linux"\nVERSION_ID="12"\n'
        'VERSION="12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=raspbian\nID_LIKE=debian\n'
        'HOME_URL="http://www.raspbian.org/"\n'
    ),
    "/etc/rpi-issue": "Raspberry Pi reference 2024-11-19\n",
    "/boot/firmware/cmdline.txt": (
        "console=serial0,115200 console=tty1 root=PARTUUID=4c4e106f-02 rootfstype=ext4 fsck.repair=yes rootwait\n"
    ),
    "/boot/cmdline.txt": (
        "DO NOT EDIT THIS FILE\n\nThe file you are looking for has moved to /boot/firmware/cmdline.txt\n"
    ),
    "/boot/firmware/config.txt": "arm_64bit=1\n\n[all]\n",
}
RASPBIAN_MODEL = "Raspberry Pi 4 Model B Rev 1.4"
