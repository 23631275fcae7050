# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modes of kube-proxy are tried, and whether this kernel has what they need."""

from __future__ import annotations

import subprocess

# Where four combinations would take too long, each IP family is tried in one mode.
FAMILY_IN_MODE = {"iptables": "IPv4", "nftables": "IPv6"}
# The kinds of expressions that kube-proxy's rules are made of (pkg/proxy/nftables of Kubernetes).
NFTABLES_MODE = """
table ip probe {
  map services {
    type ipv4_addr . inet_proto . inet_service : verdict
  }
  set affinity {
    type ipv4_addr
    flags dynamic,timeout
    timeout 3h
  }
  chain endpoint {
    update @affinity { ip saddr }
    meta l4proto tcp dnat to 10.0.0.1:80
  }
  chain service {
    ip saddr @affinity goto endpoint
    numgen random mod 2 vmap { 0 : goto endpoint, 1 : goto endpoint }
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    ip daddr . meta l4proto . th dport vmap @services
    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto tcp th dport 30000 goto service
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    meta mark & 0x00004000 == 0x00004000 masquerade fully-random
  }
  chain forward {
    type filter hook forward priority -110
    ct state new reject
  }
}
"""


def nftables_lack() -> str:
    """What nft says of such rules in a network of their own; empty when the kernel takes them."""
    tried = subprocess.run(
        ["unshare", "--net", "nft", "--file", "-"], input=NFTABLES_MODE, text=True, capture_output=True
    )
    return tried.stderr.strip()
