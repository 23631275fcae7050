# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
COMPILE = tests/env pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.DEFAULT_GOAL := help
.PHONY: help demo demo-down test bench soak lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## a virtual homelab, Lantern's playbook against it, a page fetched from its LAN
	@tests/env python -m homelab.demo

demo-down: ## end the lab that demo left up
	@tests/lab/lab down

test: ## every test, the ones in the virtual homelab included
	@tests/env tests/run

bench: ## Lantern and MetalLB measured side by side into docs/benchmarks.md; BENCH=--help lists options
	@PYTHONPATH=tests/bench tests/env python -m benchmarks $(BENCH)

soak: ## what takes too long for test: damaged input by the million; faults, write-ups and roles in the virtual homelab
	@LANTERN_FUZZ_INPUTS=$${LANTERN_FUZZ_INPUTS:-1000000} \
	  tests/env pytest -q --durations=10 -c speaker/pyproject.toml tests/speaker/fuzz
	@tests/env pytest -q --durations=10 -c tests/faults/pytest.ini tests/faults
	@tests/env pytest -q --durations=10 tests/e2e/test_4_lifecycle.py tests/e2e/test_5_*.py tests/e2e/test_6_*.py
	@LANTERN_IMPAIRED_MINUTES=$${LANTERN_IMPAIRED_MINUTES:-30} LANTERN_MIXED_MINUTES=$${LANTERN_MIXED_MINUTES:-10} \
	  tests/env pytest -q --durations=10 -c tests/failover/pytest.ini tests/failover
	@tests/env pytest -q --durations=10 -c tests/seeds/pytest.ini tests/seeds
	@tests/env molecule test --all
	@PYTHONPATH=playbooks/collections tests/env pytest -q tests/image/test_on_arm.py
	@tests/env python tests/newest.py

lock: ## compile all lock files anew
	@$(COMPILE) --output-file speaker/requirements.lock speaker/requirements.in
	@$(COMPILE) --output-file tests/requirements.lock tests/requirements.in
	@tests/env python tests/image/debian_lock.py > speaker/debian-arm.lock.new
	@mv speaker/debian-arm.lock.new speaker/debian-arm.lock
