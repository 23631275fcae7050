# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lantern and MetalLB measured side by side, from outside, in a lab of their own. `make bench` runs it.

`figures`     rows of a table, and how several runs become one figure; pure
`lab`         the lab that is measured in
`api`         requests to its API server
`watch`       when Services get their addresses, and whether two have one
`services`    Services made by several clients at once
`pods`        the load balancer's own pods, and which one leads
`audit`       who writes what, by the API server's audit log
`processes`   memory and processor time of a container's processes
`metallb`     MetalLB out of its Go module: images, manifests, its allocator
`contenders`  how each load balancer gets into the lab
`session`     one contender in one fresh lab
`scenario`    what a scenario is, and how much of everything is measured
`controller`  the rows about addresses for Services
`failover`    the rows about owners that die
`handover`    the rows about owners that go in good order
`partition`   the rows about nodes that meet again, and about bad cables
`speaker`     the rows about answering for many addresses, and about changes of one
`catalogue`   all scenarios in order, and their tables
`front`       Services of which only the announcement can fail
`lan`         what a host of the LAN sees of the load balancer
`visits`      a program: requests at a steady pace
`arp_load`    a program: how quickly, and how many, ARP questions are answered
`arp`         those questions and answers as bytes; pure
`timeline`    gaps, losses and presences out of moments; pure
`allocation`  a program: Lantern's decisions alone
`clients`     what candidate libraries cost
`machine`     what one has to know about the machine
`picture`     the burst as SVG
`report`      docs/benchmarks.md; pure
`__main__`    arguments, order of runs, files
"""
