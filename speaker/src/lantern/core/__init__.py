# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions: pure, total functions from one frozen snapshot of the cluster to what should be.

    allocate.plan(snapshot)              which Service gets, keeps or loses which address (controller)
    announce.decide(snapshot, node, ...) which addresses this node answers for (speaker)

Timing: the whole cluster is decided anew after every change; that is milliseconds for hundreds of Services, and leaves
no history that could be wrong. Failure: nothing here raises for what users write; a "no" is a Reason and a sentence.
Testing: build a snapshot, compare the result; no clock, no loop, no fakes.
"""
