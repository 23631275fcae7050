# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a node's container runtime, as Kubernetes sees them. PRIVATE to the homelab.lantern collection.

Runs on the node. No registry is needed.
"""

from __future__ import annotations

import os
import shutil
import typing as t

from .errors import ImageError, NoRuntimeError
from .programs import LOADERS, Crictl, Ctr, Docker, Program, Stored

# Where Kubernetes' images live, whatever else uses the same containerd.
NAMESPACE = "k8s.io"
PROGRAM_FOLDERS = ["/usr/local/bin", "/opt/bin", "/var/lib/rancher/rke2/bin"]

# k3s and RKE2 bring a containerd of their own.
K3S_SOCKET = "/run/k3s/containerd/containerd.sock"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
CRI_O_SOCKET = "/run/crio/crio.sock"
DOCKER_SOCKET = "/run/docker.sock"
# By these Kubernetes uses docker; the second one is k3s' own.
CRI_DOCKERD_SOCKETS = ("/run/cri-dockerd.sock", "/run/k3s/cri-dockerd/cri-dockerd.sock")
# Where k3s and RKE2 keep their data, if nobody has moved it. Image archives in agent/images are imported whenever they
# start, so an image that the kubelet threw away comes back although it is in no registry.
DATA_FOLDERS = ("/var/lib/rancher/rke2", "/var/lib/rancher/k3s")

Exists = t.Callable[[str], bool]
Which = t.Callable[[str], t.Optional[str]]
Run = t.Callable[[t.List[str]], t.Tuple[int, str, str]]


class Runtime(t.NamedTuple):
    """The program for a node's images, and the folder that fills the store when the runtime starts."""

    program: Program
    archives: str | None = None


def find(exists: Exists, which: Which) -> Runtime:
    """This node's runtime; NoRuntimeError if there is none, or nothing that speaks to it.

    Docker has a containerd beside it, and a node may have docker for other things: what only Kubernetes uses is first.
    """
    if exists(K3S_SOCKET):
        own = [folder for folder in DATA_FOLDERS if exists(f"{folder}/agent")]
        return Runtime(_ctr(K3S_SOCKET, which, (["k3s", "ctr"], ["ctr"])), f"{own[0]}/agent/images" if own else None)
    if exists(CRI_O_SOCKET):
        return Runtime(_crictl(which))
    if any(exists(socket) for socket in CRI_DOCKERD_SOCKETS):
        return Runtime(_docker(which))
    if exists(CONTAINERD_SOCKET):
        return Runtime(_ctr(CONTAINERD_SOCKET, which, (["ctr"],)))
    sockets = (K3S_SOCKET, CRI_O_SOCKET, *CRI_DOCKERD_SOCKETS, CONTAINERD_SOCKET)
    raise NoRuntimeError(
        f"No container runtime of Kubernetes is running on this node (looked for {', '.join(sockets)}): start it, "
        "or take the host out of group nodes."
    )


def _ctr(socket: str, which: Which, programs: t.Sequence[list[str]]) -> Program:
    for program in programs:
        path = which(program[0])
        if path:
            return Ctr([path, *program[1:], "--address", socket, "--namespace", NAMESPACE])
    raise _speechless(f"containerd ({socket})", "ctr", "the package containerd.io or containerd, which brings it")


def _docker(which: Which) -> Program:
    path = which("docker")
    if not path:
        raise _speechless(f"docker ({DOCKER_SOCKET})", "docker", "the package docker-ce-cli or docker.io")
    return Docker([path, "--host", f"unix://{DOCKER_SOCKET}"])


def _crictl(which: Which) -> Program:
    path = which("crictl")
    if not path:
        raise _speechless(f"CRI-O ({CRI_O_SOCKET})", "crictl", "the package cri-tools")
    loader = next(filter(None, map(which, LOADERS)), None)
    if not loader:
        raise _speechless(f"CRI-O ({CRI_O_SOCKET})", " or ".join(LOADERS), "the package skopeo, the smallest of them")
    endpoint = f"unix://{CRI_O_SOCKET}"
    return Crictl([path, "--runtime-endpoint", endpoint, "--image-endpoint", endpoint], loader)


def _speechless(runtime: str, program: str, package: str) -> NoRuntimeError:
    return NoRuntimeError(
        f"No image can be put into this node's {runtime}, as there is no {program}: install {package}, or have the "
        "nodes fetch the image from a registry (deploy_registry)."
    )


class Store:
    """The images of one runtime; `run` executes a command on the node."""

    def __init__(self, runtime: Runtime, run: Run) -> None:
        self._program = runtime.program
        self._archives = runtime.archives
        self._run = run

    def list(self) -> list[Stored]:
        """Every reference."""
        return self._program.stored(self._done(self._program.listing()))

    def has(self, name: str) -> bool:
        return any(one.name == name for one in self.list())

    def load(self, archive: str, name: str) -> None:
        """Import an archive; ImageError if `name` is not there afterwards."""
        if not os.path.exists(archive):
            raise ImageError(
                f"The image archive {archive} is not on the node: run the deploy stage from its beginning."
            )
        self._done(self._program.loading(archive, name))
        if not self.has(name):
            raise ImageError(
                f"{archive} was imported, but {self._program.title} knows no {name} afterwards: is it another archive?"
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
            self._done(self._program.removing(names))
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

    def _done(self, command: list[str]) -> str:
        """The command's output; ImageError with its complaints if it fails."""
        status, output, complaints = self._run(command)
        if status != 0:
            lines = [line.strip() for line in complaints.splitlines() if line.strip()]
            told = "; ".join(lines[-2:]) or f"exit status {status}"
            shown = " ".join([os.path.basename(command[0]), *command[1:]])
            raise ImageError(f"`{shown}` fails: {told}. Is {self._program.title} healthy on this node?")
        return output
