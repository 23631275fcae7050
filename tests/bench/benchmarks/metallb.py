# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""MetalLB out of its published Go module: its two programs, its manifests, images of it for the lab's nodes.

Nothing of it is adjusted but the names of its two images.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import yaml
from homelab import artifacts, images, paths
from homelab.shell import LabError, logged, run, stage

MODULE = "go.universe.tf/metallb"
VERSION = "v0.16.1"
PROGRAMS = ("controller", "speaker")
_MANIFEST = "config/manifests/metallb-native.yaml"
_GO_TEST = Path(__file__).parent.parent / "metallb" / "allocate_test.go"
_ENV = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}


def source() -> Path:
    """A copy of the module's source, to which a benchmark may be added; made when missing."""
    folder = paths.cache() / f"metallb-{VERSION}-source"
    if not folder.is_dir():
        with stage(f"downloading MetalLB {VERSION} as a Go module"):
            info = json.loads(run([artifacts.go_toolchain(), "mod", "download", "-json", f"{MODULE}@{VERSION}"]))
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        # Go's own copy is read-only, down to its folders.
        run(["cp", "--recursive", "--no-preserve=mode", info["Dir"], str(partial)])
        partial.rename(folder)
    return folder


def image_archives() -> list[Path]:
    """Docker archives of `localhost/metallb-controller:1` and `localhost/metallb-speaker:1`, made when missing."""
    folder = paths.cache() / f"metallb-{VERSION}-{artifacts.architecture()}"
    archives = [folder / f"{program}.tar" for program in PROGRAMS]
    if folder.is_dir():
        return archives
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    log = paths.cache() / "metallb-build.log"
    code = source()
    with stage(f"building MetalLB {VERSION} (once; some minutes)"):
        build = [artifacts.go_toolchain(), "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{partial}/"]
        logged([*build, *(f"./{program}" for program in PROGRAMS)], log, env=_ENV, cwd=code)
    # The workshop is one folder in the cache, and `lab up` may want it as well.
    with (paths.cache() / "up.lock").open("w") as lock, stage("packing MetalLB's images"):
        fcntl.flock(lock, fcntl.LOCK_EX)
        with images.Workshop() as shop:
            for program in PROGRAMS:
                (partial / program).rename(shop.folder / program)
                containerfile = f'FROM scratch\nCOPY {program} /{program}\nENTRYPOINT ["/{program}"]\n'
                shop.build(f"metallb-{program}", containerfile, partial / f"{program}.tar")
    partial.rename(folder)
    return archives


def manifests() -> str:
    """MetalLB's manifests as YAML, with the names of the images that are in the nodes."""
    text = (source() / _MANIFEST).read_text()
    changed, count = re.subn(r"image: quay\.io/metallb/(\w+):\S+", r"image: localhost/metallb-\1:1", text)
    if count != len(PROGRAMS):
        raise LabError(f"{_MANIFEST} of {MODULE} {VERSION} names {count} images, not {len(PROGRAMS)}: look at it again")
    return changed


def pool(addresses: list[str]) -> str:
    """An IPAddressPool and the L2Advertisement for it, as YAML."""
    metadata = {"name": "default", "namespace": "metallb-system"}
    head = {"apiVersion": "metallb.io/v1beta1", "metadata": metadata}
    return yaml.safe_dump_all(
        [
            head | {"kind": "IPAddressPool", "spec": {"addresses": addresses}},
            head | {"kind": "L2Advertisement", "spec": {"ipAddressPools": ["default"]}},
        ]
    )


def allocation_seconds(runs: int) -> list[float]:
    """Seconds for one more address out of a /16 of which 60,000 are in use, one figure per run.

    MetalLB's own allocator, called by a benchmark that is compiled into its package.
    """
    code = source()
    shutil.copy(_GO_TEST, code / "internal/allocator/lantern_allocate_test.go")
    command = [
        artifacts.go_toolchain(), "test", "-run=^$", "-bench=BenchmarkAllocateFromNearlyFullPool", "-benchtime=20x",
        f"-count={runs}", "./internal/allocator",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=code, env={**os.environ, **_ENV}, capture_output=True, text=True)
    found = re.findall(r"^Benchmark\S+\s+\d+\s+([\d.]+) ns/op", done.stdout, re.MULTILINE)
    if len(found) != runs:
        raise LabError(f"MetalLB's allocator was not measured: {(done.stdout + done.stderr).strip()[-800:]}")
    return [float(value) / 1e9 for value in found]
