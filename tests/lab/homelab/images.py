# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes' container images, built once, and one containerd store that holds them all; stand-ins for a registry.

Importing the images into each node at each start would take most of the start. So they are imported once, into a
store in the cache; a node's store is a copy of it in which the (never changing) layers are hard links.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from . import artifacts, paths, rootfs
from .shell import LabError, logged, stage

PAUSE = "registry.k8s.io/pause:3.10.1"
# The names kubeadm asks for; one image with all programs carries them all.
CONTROL_PLANE = tuple(
    f"registry.k8s.io/{name}"
    for name in (
        f"kube-apiserver:{artifacts.KUBERNETES_VERSION}",
        f"kube-controller-manager:{artifacts.KUBERNETES_VERSION}",
        f"kube-scheduler:{artifacts.KUBERNETES_VERSION}",
        f"kube-proxy:{artifacts.KUBERNETES_VERSION}",
        "etcd:3.6.5-0",
    )
)
# Where the manifests that kubeadm writes look for the programs.
PROGRAMS_FOLDER = "usr/local/bin"
PROXY_TOOLS = ("iptables", "nftables", "conntrack", "ipset", "kmod")
IPTABLES_NAMES = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")
# The image Lantern's own is built on in the lab; the same packages serve every architecture.
BASE_PACKAGES = ("python3", "ca-certificates")
PAUSE_SCRIPT = """#!/bin/sh
trap 'exit 0' TERM INT
while :; do sleep 86400 & wait $!; done
"""
WEB_SCRIPT = """#!/bin/sh
mkdir -p /www/cgi-bin
printf '<!DOCTYPE html><title>Lantern</title><h1>The lantern is lit.</h1><p>Served by %s</p>\\n' \
  "$(hostname)" > /www/index.html
printf '%s\\n' '#!/bin/sh' 'printf "Content-Type: text/plain\\r\\n\\r\\n%s\\n" "$REMOTE_ADDR"' > /www/cgi-bin/client
chmod 755 /www/cgi-bin/client
httpd -f -p 80 -h /www & server=$!
trap 'kill $server; exit 0' TERM INT
wait
"""
# Images that people's first commands name, by name: the port and the page of an nginx made from Debian's package.
STAND_INS = {
    "nginx:latest": (80, "Welcome to nginx!"),
    "quay.io/clcollins/kube-verify:01": (8080, "Test Page for the HTTP Server"),
}
NGINX_SETTINGS = """user root;
daemon off;
error_log stderr;
pid /tmp/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log /dev/stdout;
  server {{
    listen {port};
    listen [::]:{port};
    root /usr/share/nginx/html;
  }}
}}
"""
NGINX_PAGE = """<!DOCTYPE html>
<html><head><title>{title}</title></head>
<body><h1>{title}</h1><p>A stand-in of the virtual homelab, served by Debian's nginx.</p></body></html>
"""
# Run with a store, a folder of archives and an empty folder for the root file system to be.
STORE_SCRIPT = """set -e
host=$1 store=$2 archives=$3 work=$4
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=$host,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"
mkdir -p var/lib/containerd archives
mount --bind "$store" var/lib/containerd
mount --bind "$archives" archives
mount -t proc proc proc
mount -t tmpfs tmpfs run
printf 'version = 2\\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\\n' > run/store.toml
chroot . containerd --config /run/store.toml --log-level warn & daemon=$!
for attempt in $(seq 100); do chroot . ctr version >/dev/null 2>&1 && break; sleep 0.1; done
for archive in archives/*.tar; do chroot . ctr -n k8s.io images import --snapshotter overlayfs "/$archive"; done
for name in $CONTROL_PLANE; do chroot . ctr -n k8s.io images tag localhost/kubernetes:1 "$name"; done
chroot . ctr -n k8s.io images tag localhost/pause:1 "$PAUSE"
kill $daemon; wait $daemon || :
"""


def base_archive(architecture: str | None = None) -> Path:
    """The docker archive of `localhost/lantern-base:1`: Debian's Python 3.11 and CA certificates."""
    architecture = architecture or artifacts.architecture()
    archive = paths.cache() / f"lantern-base-{architecture}.tar"
    if not archive.exists():
        with stage(f"making the {architecture} base image from Debian packages"), Workshop() as shop:
            rootfs.extracted(shop.folder / "root", BASE_PACKAGES, architecture)
            shop.build("lantern-base", "FROM scratch\nCOPY root /\n", archive, architecture)
    return archive


def store() -> Path:
    """The folder with the containerd store every node starts from, made when the cache has none."""
    host = rootfs.host()
    programs = artifacts.kubernetes()
    recipe = (CONTROL_PLANE, PAUSE, PROXY_TOOLS, PROGRAMS_FOLDER, PAUSE_SCRIPT, WEB_SCRIPT, STORE_SCRIPT)
    key = hashlib.sha256(repr((host.name, programs.name, recipe)).encode()).hexdigest()[:12]
    folder = paths.cache() / f"containerd-{key}"
    if folder.is_dir():
        return folder
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with stage("building the nodes' container images"), Workshop() as shop:
        archives = shop.folder / "archives"
        archives.mkdir()
        _kubernetes_image(shop, programs, archives)
        _small_images(shop, host, archives)
        _import(host, partial, archives)
    partial.rename(folder)
    return folder


def copy_store(destination: Path) -> None:
    """Give a node its own store: databases are copied, layers and snapshots are hard links."""
    source = store()
    destination.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", "--link", str(source), str(destination)], check=True)
    for database in source.rglob("*.db"):
        copy = destination / database.relative_to(source)
        copy.unlink()
        shutil.copy2(database, copy)


class Workshop:
    """A buildah storage of its own that is gone afterwards; `folder` is the build's context."""

    def __enter__(self) -> Workshop:
        self.folder = paths.cache() / "workshop"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def build(self, name: str, containerfile: str, archive: Path, architecture: str = "") -> None:
        """Build `localhost/NAME:1` in the workshop's folder and write it to `archive`."""
        log = paths.cache() / "images.log"
        (self.folder / "Containerfile").write_text(containerfile)
        buildah = ["buildah", "--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        buildah += ["--storage-driver", "vfs"]
        arch = ["--arch", architecture] if architecture else []
        tag = f"localhost/{name}:1"
        alone = list(rootfs.ALONE)
        logged(
            [*alone, *buildah, "bud", "--isolation", "chroot", *arch, "--quiet", "--tag", tag, str(self.folder)], log
        )
        partial = archive.with_name(archive.name + ".partial")
        partial.unlink(missing_ok=True)
        logged([*alone, *buildah, "push", "--quiet", tag, f"docker-archive:{partial}:{tag}"], log)
        partial.rename(archive)


def _kubernetes_image(shop: Workshop, programs: Path, archives: Path) -> None:
    root = shop.folder / "root"
    rootfs.extracted(root, PROXY_TOOLS, artifacts.architecture())
    for name in IPTABLES_NAMES:
        (root / "usr/sbin" / name).unlink(missing_ok=True)
        (root / "usr/sbin" / name).symlink_to("xtables-nft-multi")
    (root / PROGRAMS_FOLDER).mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", *map(str, programs.iterdir()), str(root / PROGRAMS_FOLDER)], check=True)
    shop.build("kubernetes", "FROM scratch\nCOPY root /\n", archives / "kubernetes.tar")
    shutil.rmtree(root)


def _small_images(shop: Workshop, host: Path, archives: Path) -> None:
    shutil.copy(host / "bin/busybox", shop.folder / "busybox")
    for name, script in (("pause", PAUSE_SCRIPT), ("web", WEB_SCRIPT)):
        (shop.folder / name).write_text(script)
        (shop.folder / name).chmod(0o755)
        applets = "".join(f"COPY busybox /bin/{applet}\n" for applet in _applets(script))
        containerfile = f'FROM scratch\n{applets}COPY {name} /{name}\nENTRYPOINT ["/{name}"]\n'
        shop.build(name, containerfile, archives / f"{name}.tar")


def stand_ins(shop: Workshop) -> dict[str, Path]:
    """Build the images of STAND_INS; their archives by name."""
    root = shop.folder / "root"
    rootfs.extracted(root, ("nginx",), artifacts.architecture())
    for folder in ("etc/nginx/modules-enabled", "usr/share/doc", "usr/share/man"):
        shutil.rmtree(root / folder, ignore_errors=True)
    for folder in ("tmp", "var/log/nginx", "var/lib/nginx"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    archives: dict[str, Path] = {}
    for number, (name, (port, title)) in enumerate(STAND_INS.items()):
        (shop.folder / "nginx.conf").write_text(NGINX_SETTINGS.format(port=port))
        (shop.folder / "index.html").write_text(NGINX_PAGE.format(title=title))
        containerfile = (
            "FROM scratch\nCOPY root /\nCOPY nginx.conf /etc/nginx/nginx.conf\n"
            "COPY index.html /usr/share/nginx/html/index.html\n"
            f'EXPOSE {port}\nSTOPSIGNAL SIGQUIT\nCMD ["/usr/sbin/nginx"]\n'
        )
        archives[name] = shop.folder / f"stand-in-{number}.tar"
        shop.build(f"stand-in-{number}", containerfile, archives[name])
    shutil.rmtree(root)
    return archives


def _applets(script: str) -> list[str]:
    used = [a for a in ("sleep", "mkdir", "hostname", "chmod", "httpd") if a in script]
    return ["sh", *used]


def _import(host: Path, folder: Path, archives: Path) -> None:
    """Run containerd, chrooted into the hosts' root file system, on `folder` and import every archive."""
    work = archives.with_name("import")
    work.mkdir()
    logged(
        [*rootfs.ALONE, "--net", "sh", "-c", STORE_SCRIPT, "store", str(host), str(folder), str(archives), str(work)],
        paths.cache() / "images.log",
        env={"CONTROL_PLANE": " ".join(CONTROL_PLANE), "PAUSE": PAUSE},
    )
    if not any((folder / "io.containerd.content.v1.content").rglob("*")):
        raise LabError(f"containerd imported nothing; see {paths.cache() / 'images.log'}")
