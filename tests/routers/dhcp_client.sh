#!/bin/sh
# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# dhcp_client.sh INTERFACE MAC [ADDRESS [SECONDS]]: print which address a real DHCP client with this MAC is given, nothing
# for none. It asks for ADDRESS if there is one. The lease is of no use to this client: the interface stays without it.
case $1 in # as udhcpc calls it
  bound) echo "bound ${ip:?}"; exit ;;
  deconfig | leasefail | nak | renew) exit ;;
esac
ip link set "$1" down && ip link set "$1" address "$2" && ip link set "$1" up || exit
busybox udhcpc -i "$1" -n -q -f -t "${4:-8}" -T 1 -s "$(readlink -f "$0")" ${3:+-r "$3"} 2>/dev/null |
  sed -n 's/^bound //p' | tail -n 1
