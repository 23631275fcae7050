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
`controller`  the rows about addresses for Services; rows about other parts get a module beside it
`allocation`  a program: Lantern's decisions alone
`clients`     what candidate libraries cost
`machine`     what one has to know about the machine
`picture`     the burst as SVG
`report`      docs/benchmarks.md; pure
`__main__`    arguments, order of runs, files
"""
