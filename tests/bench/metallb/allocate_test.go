// Copyright (c) 2026, Lantern contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// Compiled into MetalLB's package by go's -overlay; see benchmarks/metallb.py.
package allocator

import (
	"fmt"
	"net"
	"testing"

	v1 "k8s.io/api/core/v1"

	"go.universe.tf/metallb/internal/config"
	"go.universe.tf/metallb/internal/ipfamily"
)

// One more address out of a /16 whose first 60,000 addresses are in use.
func BenchmarkAllocateFromNearlyFullPool(b *testing.B) {
	_, network, err := net.ParseCIDR("10.0.0.0/16")
	if err != nil {
		b.Fatal(err)
	}
	pool := &config.Pool{Name: "default", AutoAssign: true, CIDR: []*net.IPNet{network}}
	allocator := New(func(string) {})
	allocator.SetPools(&config.Pools{ByName: map[string]*config.Pool{"default": pool}})
	service := &v1.Service{}
	ports := []Port{{Proto: "tcp", Port: 80}}
	for i := 0; i < 60000; i++ {
		// Assigned by address: to search for each would be measured in minutes.
		address := net.IPv4(10, 0, byte(i>>8), byte(i)).To4()
		if err := allocator.Assign(fmt.Sprintf("bench/s%d", i), service, []net.IP{address}, ports, "", ""); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		key := fmt.Sprintf("bench/new%d", i)
		if _, err := allocator.Allocate(key, service, ipfamily.IPv4, ports, "", ""); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		allocator.Unassign(key)
		b.StartTimer()
	}
}
