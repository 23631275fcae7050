# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry for container images on the router, which the nodes ask instead of the ones on the Internet.

An image lies in it under its whole name (`docker.io/library/nginx`), so the registries it stands in for cannot
collide.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from . import images, paths, rootfs
from .settings import DOMAIN
from .shell import LabError, logged, stage

NAME = f"registry.{DOMAIN}"
PORT = 5000
STORAGE = "/var/lib/docker-registry"
MIRRORS = "/etc/containerd/certs.d"
STOOD_IN_FOR = ("docker.io", "quay.io", "ghcr.io")
CONFIGURATION = f"""version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {STORAGE}}}
  delete: {{enabled: true}}
http: {{addr: ":{PORT}"}}
"""
# Run with the hosts' root file system, the store to fill, an empty folder, and name-archive pairs.
FILL_SCRIPT = """set -e
host=$1 store=$2 work=$3; shift 3
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=$host,upperdir=$work/upper,workdir=$work/work" "$work/root"
printf '%s' "$CONFIGURATION" > "$work/root/registry.yml"
mount --bind "$store" "$work/root$STORAGE"
ip link set lo up
chroot "$work/root" docker-registry serve /registry.yml & daemon=$!
while [ $# -gt 0 ]; do
  skopeo copy --quiet --retry-times 5 --dest-tls-verify=false "docker-archive:$2" "docker://127.0.0.1:5000/$1"
  shift 2
done
kill $daemon
"""


def mirrors() -> Mapping[str, str]:
    """containerd's files that send a node to this registry, by path."""
    here = f"http://{NAME}:{PORT}"
    files = {
        f"{MIRRORS}/{registry}/hosts.toml": (
            f'server = "https://{registry}"\n\n[host."{here}/v2/{registry}"]\n'
            '  capabilities = ["pull", "resolve"]\n  override_path = true\n'
        )
        for registry in STOOD_IN_FOR
    }
    # containerd 1.6 asks the server of a file without such a section by HTTPS whatever it says.
    files[f"{MIRRORS}/{NAME}:{PORT}/hosts.toml"] = f'[host."{here}"]\n'
    return files


def full_name(image: str) -> str:
    """An image's name with registry and tag, completed as container runtimes do.

    Raises:
        LabError: it names an image by digest, which a copy may not keep.
    """
    if "@" in image:
        raise LabError(f"image {image}: give a name with a tag, not with a digest")
    folder, _, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    registry = folder.partition("/")[0]
    if not folder:
        folder = "docker.io/library"
    elif not ("." in registry or ":" in registry or registry == "localhost"):
        folder = f"docker.io/{folder}"
    return f"{folder}/{name}:{tag or 'latest'}"


def repository(image: str) -> str:
    """Where an image lies in the registry: its whole name, or what follows the registry's own name."""
    return full_name(image).removeprefix(f"{NAME}:{PORT}/")


def store() -> Path:
    """The folder with the registry every lab starts from, made when the cache has none."""
    host = rootfs.host()
    key = hashlib.sha256(repr((host.name, images.STAND_INS, FILL_SCRIPT, CONFIGURATION)).encode()).hexdigest()[:12]
    folder = paths.cache() / f"registry-{key}"
    if folder.is_dir():
        return folder
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with stage("filling the LAN's image registry"), images.Workshop() as shop:
        work = shop.folder / "fill"
        work.mkdir()
        archives = images.stand_ins(shop)
        pairs = [word for name, archive in archives.items() for word in (repository(name), str(archive))]
        logged(
            [*rootfs.ALONE, "--net", "sh", "-c", FILL_SCRIPT, "fill", str(host), str(partial), str(work), *pairs],
            paths.cache() / "images.log",
            env={"CONFIGURATION": CONFIGURATION, "STORAGE": STORAGE},
        )
    partial.rename(folder)
    return folder


def copy_store(destination: Path) -> None:
    """Give a lab a registry of its own. Not by hard links: the registry changes files in place."""
    subprocess.run(["cp", "--archive", "--reflink=auto", str(store()), str(destination)], check=True)


def push_command(archive: Path, image: str, address: str) -> list[str]:
    """The command that copies an OCI or docker archive to the registry at `address`; runs where the LAN is."""
    kind = "oci-archive" if _is_oci(archive) else "docker-archive"
    target = f"docker://{address}:{PORT}/{repository(image)}"
    return ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"{kind}:{archive}", target]


def _is_oci(archive: Path) -> bool:
    names = subprocess.run(["tar", "--list", "--file", str(archive)], capture_output=True, text=True).stdout.split()
    return "oci-layout" in names and "manifest.json" not in names
