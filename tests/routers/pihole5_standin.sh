#!/bin/sh
# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# In the place of Pi-hole 5's pihole-FTL on a test host: what follows "--" goes to dnsmasq.
[ "$1" = -- ] && shift
exec dnsmasq "$@"
