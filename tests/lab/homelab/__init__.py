# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole home network on one machine: router, Kubernetes nodes and a LAN client, all of them real.

One lab is one *world*: a process that owns private network, mount, PID and cgroup namespaces. Everything else
(bridge, cables, containers) lives inside that world, so ending the world's first process ends the lab, even when
`lab up` itself was killed half-way. Modules, from the bottom up:

`topology`    hosts, addresses and cables as data; no I/O
`impairment`  what a bad cable does to frames; no I/O
`paths`       where caches and the state of a lab live
`shell`       running programs, progress lines
`limits`      what a machine can run out of
`artifacts`   Kubernetes and etcd programs: cache, download or build
`rootfs`      the root file systems the hosts boot, made from Debian packages; `el` what makes one an EL host's
`images`      container images of the nodes, preloaded into one containerd store, and stand-ins for a registry
`registry`    the LAN's image registry
`world`       creating, entering and ending a world; its first process
`network`     bridges and cables (pyroute2)
`relay`       the process in a bad cable
`container`   one host as a runc container with systemd as PID 1
`hosts`       everything a host boots with: `settings` what all have, `router`, `node`
`running`     power, cables and addresses of a running lab
`cluster`     kubeadm init and join
`inventory`   the Ansible inventory of the running lab
`inside`      the half of every command that runs inside the world
`cli`         the `lab` command
"""
