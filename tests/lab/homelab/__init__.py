# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole home network on one machine: router, Kubernetes nodes and a LAN client, all of them real.

One lab is one *world*: a process that owns private network, mount, PID and cgroup namespaces. Everything else
(bridge, cables, containers) lives inside that world, so ending the world's first process ends the lab, even when
`lab up` itself was killed half-way. Modules, from the bottom up:

`topology`    hosts, addresses and cables as data; no I/O
`paths`       where caches and the state of a lab live
`shell`       running programs, progress lines
`artifacts`   Kubernetes and etcd programs: cache, download or build
`rootfs`      the Debian root file system every host boots
`images`      container images of the nodes, preloaded into one containerd store
`world`       creating, entering and ending a world
`network`     bridge and cables (pyroute2)
`container`   one host as a runc container with systemd as PID 1
`hosts`       what makes a host a router, a client or a node
`cluster`     kubeadm init and join
`inventory`   the Ansible inventory of the running lab
`inside`      the half of every command that runs inside the world
`cli`         the `lab` command
"""
