# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a node's containerd, as Kubernetes sees them. PRIVATE to the homelab.lantern collection.

Runs on the node. `ctr` works on the store alone, so that no registry is needed.
"""

from __future__ import annotations

import os
import shutil
import typing as t

from .errors import ImageError, NoRuntimeError

# Where Kubernetes' images live, whatever else uses the same containerd.
NAMESPACE = "k8s.io"
PROGRAM_FOLDERS = ["/usr/local/bin", "/opt/bin", "/var/lib/rancher/rke2/bin"]

# Socket, and what speaks to it. k3s and RKE2 bring a containerd of their own; it comes first, as such a node may have
# another one for docker.
RUNTIMES = (
    ("/run/k3s/containerd/containerd.sock", (["k3s", "ctr"], ["ctr"])),
    ("/run/containerd/containerd.sock", (["ctr"],)),
)
# Where k3s and RKE2 keep their data, if nobody has moved it. Image archives in agent/images are imported whenever they
# start, so an image that the kubelet threw away comes back although it is in no registry.
DATA_FOLDERS = ("/var/lib/rancher/rke2", "/var/lib/rancher/k3s")
CRI_O_SOCKET = "/run/crio/crio.sock"

Run = t.Callable[[t.List[str]], t.Tuple[int, str, str]]


class Stored(t.NamedTuple):
    """One reference in containerd's store."""

    name: str
    digest: str


class Runtime(t.NamedTuple):
    """The beginning of every ctr command for a node's containerd, and the folder that fills it when it starts."""

    command: list[str]
    archives: str | None = None


def find(exists: t.Callable[[str], bool], which: t.Callable[[str], str | None]) -> Runtime:
    """This node's containerd; NoRuntimeError if there is none."""
    for socket, programs in RUNTIMES:
        if not exists(socket):
            continue
        for program in programs:
            path = which(program[0])
            if path:
                command = [path, *program[1:], "--address", socket, "--namespace", NAMESPACE]
                own = [folder for folder in DATA_FOLDERS if socket == RUNTIMES[0][0] and exists(f"{folder}/agent")]
                return Runtime(command, f"{own[0]}/agent/images" if own else None)
        raise ImageError(
            f"This node's containerd ({socket}) cannot be asked, as there is no ctr: install the package "
            "containerd.io or "
            "containerd, which brings it, or set deploy_image to an image in a registry."
        )
    if exists(CRI_O_SOCKET):
        raise NoRuntimeError(
            "This node runs CRI-O, into which no image can be put this way: push the image to a registry and set "
            "deploy_image."
        )
    raise NoRuntimeError(
        f"No containerd is running on this node (looked for {' and '.join(one[0] for one in RUNTIMES)}): "
        "start it, "
        "or take the host out of group nodes."
    )


class Store:
    """The images of one containerd; `run` executes a command on the node."""

    def __init__(self, runtime: Runtime, run: Run) -> None:
        self._command = runtime.command
        self._archives = runtime.archives
        self._run = run

    def list(self) -> list[Stored]:
        """Every reference."""
        lines = self._ctr(["images", "list"]).splitlines()[1:]
        cells = [line.split() for line in lines]
        return [Stored(one[0], one[2]) for one in cells if len(one) > 2]

    def has(self, name: str) -> bool:
        return any(one.name == name for one in self.list())

    def load(self, archive: str, name: str) -> None:
        """Import an archive; ImageError if `name` is not there afterwards."""
        if not os.path.exists(archive):
            raise ImageError(
                f"The image archive {archive} is not on the node: run the deploy stage from its beginning."
            )
        self._ctr(["images", "import", archive])
        if not self.has(name):
            raise ImageError(
                f"{archive} was imported, but containerd knows no {name} afterwards: is it another archive?"
            )
        if self._archives:
            os.makedirs(self._archives, mode=0o755, exist_ok=True)
            kept = self._kept(name.rpartition(":")[0])
            shutil.copyfile(archive, f"{kept}.new")
            os.replace(f"{kept}.new", kept)

    def remove(self, repository: str, keep: list[str]) -> list[str]:
        """Remove all tags of `repository` but those to keep; returns the names removed."""
        names = self.unwanted(repository, keep)
        if names:
            self._ctr(["images", "remove", *names])
        if self.keeps_archive(repository, keep):
            os.unlink(self._kept(repository))
            if not os.listdir(self._archives or ""):
                os.rmdir(self._archives or "")
        return names

    def keeps_archive(self, repository: str, keep: list[str]) -> bool:
        """Whether an archive is kept that remove() would remove: it holds the newest tag, so not if any tag stays."""
        return bool(self._archives) and not keep and os.path.exists(self._kept(repository))

    def unwanted(self, repository: str, keep: list[str]) -> list[str]:
        """The references that remove() would remove: the tags, and the names by digest that the kubelet's API added."""
        there = self.list()
        tags = [
            one for one in there if one.name.startswith((f"{repository}:", f"{repository}@")) and one.name not in keep
        ]
        kept = {one.digest for one in there if one.name in keep}
        digests = {one.digest for one in tags} - kept
        aliases = [one for one in there if one.name.startswith("sha256:") and one.digest in digests]
        return [one.name for one in tags + aliases]

    def _kept(self, repository: str) -> str:
        """Where the archive is kept that an image is imported from again."""
        return os.path.join(self._archives or "", f"{os.path.basename(repository)}.tar")

    def _ctr(self, arguments: list[str]) -> str:
        status, output, complaints = self._run([*self._command, *arguments])
        if status != 0:
            lines = [line.strip() for line in complaints.splitlines() if line.strip()]
            told = "; ".join(lines[-2:]) or f"exit status {status}"
            raise ImageError(
                f"containerd refuses `ctr {' '.join(arguments[:2])}`: {told}. Is containerd healthy on this node?"
            )
        return output
