# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's images: by which program, what is in its store, what is taken out."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import programs, runtime
from ansible_collections.homelab.lantern.plugins.module_utils._image.errors import ImageError, NoRuntimeError

HEADER = "REF                 TYPE          DIGEST     SIZE    PLATFORMS   LABELS"


class Ctr:
    """Answers like ctr, from a dictionary of references to digests."""

    def __init__(self, **images):
        self.images = {name.replace("__", ":"): digest for name, digest in images.items()}
        self.commands = []
        self.imports = {}
        self.failure = ""

    def __call__(self, command):
        arguments = command[command.index("images") :]
        self.commands.append(arguments)
        if self.failure:
            return 1, "", self.failure
        if arguments[1] == "import":
            self.images.update(self.imports)
        if arguments[1] == "remove":
            for name in arguments[2:]:
                del self.images[name]
        lines = [HEADER] + [
            f"{name} application/x {digest} 1 MiB linux/amd64 -" for name, digest in self.images.items()
        ]
        return 0, "\n".join(lines), ""


def store(ctr, archives=None):
    return runtime.Store(runtime.Runtime(programs.Ctr(["ctr"]), archives), ctr)


@pytest.mark.parametrize(
    "sockets, programs, command",
    [
        (["/run/containerd/containerd.sock"], ["ctr"], ["/bin/ctr", "--address", "/run/containerd/containerd.sock"]),
        (
            ["/run/k3s/containerd/containerd.sock", "/run/containerd/containerd.sock"],
            ["ctr", "k3s"],
            ["/bin/k3s", "ctr", "--address", "/run/k3s/containerd/containerd.sock"],
        ),
        # RKE2 has no program k3s
        (
            ["/run/k3s/containerd/containerd.sock"],
            ["ctr"],
            ["/bin/ctr", "--address", "/run/k3s/containerd/containerd.sock"],
        ),
    ],
)
def test_the_containerd_of_the_cluster_is_found(sockets, programs, command):
    found = runtime.find(sockets.__contains__, lambda name: f"/bin/{name}" if name in programs else None)
    assert found.program.listing() == [*command, "--namespace", "k8s.io", "images", "list"]
    assert found.archives is None


@pytest.mark.parametrize(
    "data, archives",
    [
        ("/var/lib/rancher/k3s/agent", "/var/lib/rancher/k3s/agent/images"),
        ("/var/lib/rancher/rke2/agent", "/var/lib/rancher/rke2/agent/images"),
        # moved by --data-dir
        ("/srv/k3s/agent", None),
    ],
)
def test_k3s_and_rke2_have_a_folder_for_images(data, archives):
    there = ("/run/k3s/containerd/containerd.sock", data)
    assert runtime.find(there.__contains__, lambda name: f"/bin/{name}").archives == archives


def test_what_k3s_imports_at_its_start_is_the_newest_and_goes_with_the_last(tmp_path):
    ctr = Ctr()
    kept = tmp_path / "images" / "lantern.tar"
    k3s = store(ctr, str(kept.parent))
    for tag in ("1", "2"):
        name = f"localhost/lantern:{tag}"
        ctr.imports = {name: f"sha256:{tag}"}
        (tmp_path / "archive").write_text(tag)
        k3s.load(str(tmp_path / "archive"), name)
        assert [path.read_text() for path in kept.parent.iterdir()] == [tag]
    k3s.remove("localhost/lantern", ["localhost/lantern:2"])
    assert kept.exists() and not k3s.keeps_archive("localhost/lantern", ["localhost/lantern:2"])
    ctr.images.clear()  # the kubelet was faster
    assert k3s.keeps_archive("localhost/lantern", [])
    assert k3s.remove("localhost/lantern", []) == []
    assert not kept.parent.exists() and not k3s.keeps_archive("localhost/lantern", [])


def test_other_archives_of_k3s_stay(tmp_path):
    ctr = Ctr()
    ctr.images = {"localhost/lantern:1": "sha256:a"}
    for name in ("lantern.tar", "k3s-airgap-images-arm64.tar.zst"):
        (tmp_path / name).touch()
    store(ctr, str(tmp_path)).remove("localhost/lantern", [])
    assert [path.name for path in tmp_path.iterdir()] == ["k3s-airgap-images-arm64.tar.zst"]


@pytest.mark.parametrize(
    "sockets, told",
    [
        ([], "No container runtime of Kubernetes is running"),
        (["/run/docker.sock"], "No container runtime of Kubernetes is running"),
        (["/run/containerd/containerd.sock"], "there is no ctr: .*deploy_registry"),
        (["/run/crio/crio.sock"], "there is no crictl: install the package cri-tools"),
        (["/run/cri-dockerd.sock"], "there is no docker: "),
    ],
)
def test_a_node_without_a_usable_one_is_told_what_to_do(sockets, told):
    """Nothing can have been put into such a one, so that there is nothing to remove either."""
    with pytest.raises(NoRuntimeError, match=told):
        runtime.find(sockets.__contains__, lambda _name: None)


def test_cri_o_without_a_program_that_fills_its_store():
    with pytest.raises(NoRuntimeError, match="no podman or skopeo or buildah: install the package skopeo"):
        runtime.find(["/run/crio/crio.sock"].__contains__, lambda name: "/bin/crictl" if name == "crictl" else None)


@pytest.mark.parametrize("loader", programs.LOADERS)
def test_cri_o_is_asked_by_crictl_and_filled_by_what_shares_its_store(loader):
    """A containerd beside it is docker's."""
    there = ["/run/crio/crio.sock", "/run/containerd/containerd.sock", "/run/docker.sock"]
    found = runtime.find(
        there.__contains__, lambda name: f"/bin/{name}" if name in (loader, "crictl") else None
    ).program
    assert found.listing()[0] == "/bin/crictl" and "unix:///run/crio/crio.sock" in found.listing()
    loading = found.loading("/var/tmp/a.tar", "localhost/lantern:1")
    assert loading[0] == f"/bin/{loader}" and any("/var/tmp/a.tar" in word for word in loading)


def test_what_crictl_tells():
    """As crictl 1.31 prints it."""
    told = """{"images": [
      {"id": "8e0f", "repoTags": ["localhost/lantern:1", "localhost/lantern:2"],
       "repoDigests": ["localhost/lantern@sha256:77"], "size": "1", "uid": null, "username": "", "pinned": false},
      {"id": "c0de", "repoTags": [], "repoDigests": ["docker.io/library/nginx@sha256:88"], "size": "2"}]}"""
    crictl = programs.Crictl(["crictl"], "/bin/skopeo")
    assert crictl.stored(told) == [("localhost/lantern:1", "8e0f"), ("localhost/lantern:2", "8e0f")]
    assert crictl.stored('{"images": []}') == []


@pytest.mark.parametrize("socket", runtime.CRI_DOCKERD_SOCKETS)
def test_docker_is_used_where_kubernetes_uses_it(socket):
    there = [socket, "/run/containerd/containerd.sock", "/run/docker.sock"]
    found = runtime.find(there.__contains__, lambda name: f"/bin/{name}").program
    assert found.listing()[:3] == ["/bin/docker", "--host", "unix:///run/docker.sock"]


def test_loading_an_archive(tmp_path):
    ctr = Ctr()
    ctr.imports = {"localhost/lantern:1": "sha256:a"}
    assert not store(ctr).has("localhost/lantern:1")
    (tmp_path / "a.tar").touch()
    store(ctr).load(str(tmp_path / "a.tar"), "localhost/lantern:1")
    assert store(ctr).has("localhost/lantern:1")
    with pytest.raises(ImageError, match="knows no localhost/lantern:2 afterwards"):
        store(ctr).load(str(tmp_path / "a.tar"), "localhost/lantern:2")
    with pytest.raises(ImageError, match="is not on the node"):
        store(ctr).load(str(tmp_path / "b.tar"), "localhost/lantern:1")


def test_a_refusal_of_containerd_is_quoted():
    ctr = Ctr()
    ctr.failure = "time=...\nctr: permission denied\n"
    with pytest.raises(ImageError, match="`ctr images list` fails: time=...; ctr: permission denied. Is containerd"):
        store(ctr).list()


def test_old_tags_go_with_their_aliases_and_others_stay():
    ctr = Ctr()
    ctr.images = {
        "localhost/lantern:new": "sha256:n",
        "localhost/lantern:old": "sha256:o",
        "localhost/lantern:same": "sha256:n",
        "localhost/lantern-demo:1": "sha256:d",
        "sha256:alias-of-new": "sha256:n",
        "sha256:alias-of-old": "sha256:o",
        "docker.io/library/nginx:1": "sha256:x",
    }
    removed = store(ctr).remove("localhost/lantern", ["localhost/lantern:new"])
    assert sorted(removed) == ["localhost/lantern:old", "localhost/lantern:same", "sha256:alias-of-old"]
    assert sorted(ctr.images) == [
        "docker.io/library/nginx:1",
        "localhost/lantern-demo:1",
        "localhost/lantern:new",
        "sha256:alias-of-new",
    ]
    ctr.commands.clear()
    assert store(ctr).remove("localhost/lantern", ["localhost/lantern:new"]) == []
    assert [command[1] for command in ctr.commands] == ["list"]
