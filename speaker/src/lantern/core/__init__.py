# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions: pure, total functions from one frozen snapshot of the cluster to what should be.

    config.adopt(current, inputs)        which configuration is in force (both processes)
    allocate.plan(snapshot)              which Service gets, keeps or loses which address (controller)
    explain.explain(snapshot, key)       why one Service has its address, or none
    usage.usage(pools, plan)             how full the pools are then
    memory.remember(memory, plan, limit) which address each Service had last
    announce.decide(snapshot, node, ...) which addresses this node answers for, if speakers do not know each other
    vips.VipIndex, succession.Succession which VIPs there are, and which of them this node owns among other speakers

Timing: the whole cluster is decided anew after every change; that is milliseconds for hundreds of Services, and leaves
no history that could be wrong. Failure: nothing here raises for what users write; a "no" is a Reason and a sentence.
Testing: build a snapshot, compare the result; no clock, no loop, no fakes.
"""
