# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python packages from Debian, for a machine that no wheels are made for. PRIVATE to the homelab.lantern collection.

Some compiled packages of the image have no wheels for 32-bit ARM, and Debian has them all (it calls the machine armhf).
Their archives are fetched by the digests of `debian-arm.lock` and unpacked; nothing of them runs here. That file is
lines of words:

    python 3.14                        what the modules are compiled for, so the base image has to bring it
    snapshot 20261121T000000Z          when Debian had all of them; its archive of the past keeps them for good
    msgspec pool/main/…_armhf.deb <sha256>     requirement that it stands for, path on a mirror, digest
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import re
import tarfile
import typing as t
from http.client import HTTPException

from ansible.module_utils import urls

from .errors import ImageError

MIRRORS = ("https://deb.debian.org/debian", "https://snapshot.debian.org/archive/debian/{snapshot}")
# Where a package of Debian's keeps what Python imports.
PYTHON_FOLDER = "usr/lib/python3/dist-packages/"
ANSWER_SECONDS = 30
# Unix archive (deb(5), ar(5)): a magic line, then members with headers of 60 bytes.
_AR_MAGIC, _AR_HEADER = b"!<arch>\n", 60
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Package(t.NamedTuple):
    """One package of Debian's: the requirement it stands for, its path on a mirror, its SHA-256 in hexadecimal."""

    requirement: str
    path: str
    digest: str

    @property
    def file(self) -> str:
        """Its name in the cache."""
        return os.path.basename(self.path)


class Lock(t.NamedTuple):
    """What the lock says."""

    python: str
    snapshot: str
    packages: list[Package]

    def requirements(self) -> list[str]:
        """Names in the Python packages' own lock that are not taken from there."""
        return [package.requirement for package in self.packages]


def read(path: str) -> Lock:
    """The lock in `path`. ImageError naming a line that cannot be read."""
    settings: dict[str, str] = {}
    packages = []
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            words = line.split("#")[0].split()
            if len(words) == 2 and words[0] in ("python", "snapshot"):
                settings[words[0]] = words[1]
            elif len(words) == 3 and words[1].endswith(".deb") and _DIGEST.fullmatch(words[2]):
                packages.append(Package(*words))
            elif words:
                raise ImageError(f"{path}: {line.strip()!r} cannot be read: install the collection again.")
    if len(settings) != 2 or not packages:
        raise ImageError(f"{path} names no Python, no snapshot or no package: install the collection again.")
    return Lock(settings["python"], settings["snapshot"], packages)


def missing(lock: Lock, folder: str) -> list[Package]:
    """The packages that `folder` does not hold whole."""
    return [package for package in lock.packages if _digest_of(os.path.join(folder, package.file)) != package.digest]


def download(lock: Lock, folder: str, mirrors: t.Sequence[str]) -> None:
    """Fetch what `folder` lacks from the first mirror that has it. ImageError naming what each of them said."""
    os.makedirs(folder, exist_ok=True)
    for package in missing(lock, folder):
        content = _fetched(package, [mirror.replace("{snapshot}", lock.snapshot) for mirror in mirrors])
        target = os.path.join(folder, package.file)
        with open(f"{target}.part", "wb") as stream:
            stream.write(content)
        os.replace(f"{target}.part", target)


def unpack(lock: Lock, folder: str, target: str) -> None:
    """Put what Python imports of each package below `target`. ImageError if one is no package."""
    for package in lock.packages:
        path = os.path.join(folder, package.file)
        try:
            with open(path, "rb") as stream, _data(stream.read()) as tar:
                _copy_python(tar, target)
        except (OSError, tarfile.TarError, lzma.LZMAError, ValueError, EOFError) as exc:
            raise ImageError(f"{path} is no package that can be unpacked: {exc}. Delete it and try again.") from exc


def _fetched(package: Package, mirrors: t.Sequence[str]) -> bytes:
    told = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{package.path}"
        try:
            with urls.open_url(url, timeout=ANSWER_SECONDS, http_agent="lantern") as answer:
                content = bytes(answer.read())
        except (urls.ConnectionError, HTTPException, OSError, ValueError) as exc:
            told.append(f"{url}: {exc}")
            continue
        actual = hashlib.sha256(content).hexdigest()
        if actual == package.digest:
            return content
        told.append(f"{url}: its digest is {actual}, not {package.digest}")
    raise ImageError(
        f"The package {package.file} for 32-bit ARM cannot be downloaded ({'; '.join(told)}). This machine needs the "
        "Internet for that once: run playbooks/fetch.yml while it has it, or name another mirror in "
        "deploy_debian_mirrors."
    )


def _digest_of(path: str) -> str:
    """SHA-256 of a file, empty if there is none."""
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except FileNotFoundError:
        return ""


def _data(package: bytes) -> tarfile.TarFile:
    """The archive data.tar.* inside a package. ValueError if it is none."""
    if not package.startswith(_AR_MAGIC):
        raise ValueError("it does not begin like one")
    position = len(_AR_MAGIC)
    while position + _AR_HEADER <= len(package):
        header = package[position : position + _AR_HEADER]
        name, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
        position += _AR_HEADER
        if position + size > len(package):
            raise ValueError("it is cut off")
        if name.startswith("data.tar"):
            return tarfile.open(fileobj=io.BytesIO(package[position : position + size]))
        position += size + size % 2
    raise ValueError("it holds no data.tar")


def _copy_python(tar: tarfile.TarFile, target: str) -> None:
    """Regular files below PYTHON_FOLDER; a package's other files (manuals, licences) are not used in the image."""
    for member in tar:
        name = member.name[2:] if member.name.startswith("./") else member.name
        relative = name[len(PYTHON_FOLDER) :]
        if not member.isfile() or not name.startswith(PYTHON_FOLDER) or ".." in relative.split("/"):
            continue
        stream = tar.extractfile(member)
        place = os.path.join(target, relative)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as copy:
            copy.write(stream.read() if stream else b"")
