# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a host a router, a client or a node: the files it boots with and the services it runs. Pure text."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from .images import PAUSE
from .topology import POD_NETWORK, Host, Topology

DOMAIN = "home.arpa"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Files by path and the systemd units a host starts beyond those of the root file system."""

    files: dict[str, str]
    units: tuple[str, ...] = ()


def setup(host: Host, topology: Topology, public_key: str) -> Setup:
    """Everything `host` boots with; `public_key` may log in as root and as homelab."""
    kind = {"router": _router, "client": _client, "node": _node}[host.kind](host, topology)
    names = "".join(f"{h.address}\t{h.name}.{DOMAIN} {h.name}\n" for h in (topology.router, *topology.nodes))
    common = {
        "/etc/hostname": f"{host.name}\n",
        "/etc/hosts": f"127.0.0.1\tlocalhost {host.name if host.kind == 'client' else ''}\n::1\tlocalhost\n{names}",
        "/etc/machine-id": hashlib.md5(host.mac.encode(), usedforsecurity=False).hexdigest() + "\n",
        "/etc/resolv.conf": f"nameserver {topology.router.address}\nsearch {DOMAIN}\n",
        "/root/.ssh/authorized_keys": public_key,
        "/home/homelab/.ssh/authorized_keys": public_key,
    }
    return Setup(files=common | kind.files, units=kind.units)


def _router(host: Host, topology: Topology) -> Setup:
    first, last = topology.dynamic_range
    fixed = "".join(f"dhcp-host={node.mac},{node.name},{node.address}\n" for node in topology.nodes)
    network = (
        "[Match]\nName=eth0\n\n"
        f"[Network]\nAddress={host.address}/{topology.prefix_length}\nLinkLocalAddressing=no\nIPForward=ipv4\n"
    )
    dnsmasq = (
        "# The home's DHCP and DNS server\n"
        "interface=eth0\n"
        f"domain={DOMAIN}\n"
        "expand-hosts\n"
        "no-resolv\n"
        "dhcp-authoritative\n"
        "\n"
        f"dhcp-range={first},{last},12h\n"
        f"dhcp-option=option:router,{host.address}\n"
        "\n"
        "# the Kubernetes nodes keep their addresses\n"
        f"{fixed}"
    )
    return Setup(
        files={"/etc/systemd/network/eth0.network": network, "/etc/dnsmasq.conf": dnsmasq},
        units=("dnsmasq.service",),
    )


def _dhcp(more: str = "") -> str:
    """eth0 by DHCP. The address stays when the cable is pulled, as on servers that use ifupdown."""
    return (
        "[Match]\nName=eth0\n\n"
        "[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nIgnoreCarrierLoss=yes\n\n"
        f"[DHCPv4]\nClientIdentifier=mac\nUseDNS=no\n{more}"
    )


def _client(host: Host, topology: Topology) -> Setup:
    return Setup(files={"/etc/systemd/network/eth0.network": _dhcp()})


def _node(host: Host, topology: Topology) -> Setup:
    others = (node for node in topology.nodes if node is not host)
    routes = "".join(f"\n[Route]\nDestination={n.pod_network}\nGateway={n.address}\n" for n in others)
    files = {"/etc/systemd/network/eth0.network": _dhcp(routes)}
    if not topology.kubernetes:
        return Setup(files=files)
    files |= {
        "/etc/containerd/config.toml": CONTAINERD,
        "/etc/cni/net.d/10-lab.conflist": json.dumps(_cni(host), indent=1),
        "/etc/systemd/system/kubelet.service": KUBELET,
        "/etc/systemd/system/pod-masquerade.service": MASQUERADE,
    }
    return Setup(files=files, units=("containerd.service", "kubelet.service", "pod-masquerade.service"))


def _cni(host: Host) -> dict[str, object]:
    """Pods on a bridge of their own per node; the routes between the nodes' pod networks are in eth0's settings."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": host.pod_network}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge, portmap]}


# restrict_oom_score_adj: a machine without CAP_SYS_RESOURCE may not lower the score of a container.
CONTAINERD = f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
"""

KUBELET = """[Unit]
Description=kubelet: the Kubernetes node agent
After=containerd.service network.target
Wants=containerd.service
ConditionPathExists=/var/lib/kubelet/config.yaml
StartLimitIntervalSec=0

[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \\
  --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""

MASQUERADE = f"""[Unit]
Description=Pods leave the cluster with their node's address
After=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/iptables -w -t nat -A POSTROUTING -s {POD_NETWORK} ! -d {POD_NETWORK} -j MASQUERADE

[Install]
WantedBy=multi-user.target
"""
