# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt and dnf as commands and answers. PRIVATE to the collection, pure.

Why not the modules that come with Ansible: they need Python bindings that a node cut off from the Internet may lack,
and cannot tell which packages came along, which has to be known to undo it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Sequence, Tuple

Option = Tuple[str, str]

_NETWORK = [("Acquire::http::Timeout", "15"), ("Acquire::https::Timeout", "15"), ("Acquire::Retries", "1")]
"""A host cut off from the Internet is to notice within seconds; the default is two minutes for each file."""

ENVIRONMENT = {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def apt(options: Sequence[Option], *words: str) -> list[str]:
    """An apt-get command line that asks nothing."""
    command = ["apt-get", "--yes", "--quiet"]
    for name, value in _NETWORK + list(options):
        command += ["-o", f"{name}={value}"]
    return command + list(words)


def apt_private(folder: str) -> list[Option]:
    """Options that keep apt from using or changing the machine's own lists and caches."""
    return [
        ("Dir::State::Lists", folder + "/lists"),
        ("Dir::Cache", folder + "/cache"),
        ("Dir::Cache::Archives", folder + "/archives"),
        ("Debug::NoLocking", "true"),
    ]


def apt_only_folder(folder: str, source_list: str) -> list[Option]:
    """Options that make one folder's packages the only ones apt knows; `source_list` is the file that names it."""
    return apt_private(folder) + [("Dir::Etc::SourceList", source_list), ("Dir::Etc::SourceParts", "/dev/null")]


def source_line(folder: str) -> str:
    """An apt source for a folder of packages. Trusted: apt verified each package when it was fetched."""
    return f"deb [trusted=yes] file:{folder} ./\n"


def dpkg_installed(output: str) -> set[str]:
    """Names of installed packages from `dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n'`."""
    words = (line.split() for line in output.splitlines())
    return {row[-1] for row in words if len(row) > 1 and row[0].startswith("ii")}


def apt_removals(output: str) -> set[str]:
    """Which packages a simulated `apt-get purge` would remove."""
    return set(re.findall(r"^(?:Remv|Purg) (\S+)", output, re.MULTILINE))


def index_entry(control: str, name: str, size: int, digest: str) -> str:
    """One paragraph of an apt index: the package's control fields and where its file lies."""
    return "{}\nFilename: ./{}\nSize: {}\nSHA256: {}\n".format(control.rstrip("\n"), name, size, digest)


def sha256(path: str) -> str:
    """Hexadecimal digest of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def request(names: Sequence[str], distribution: str, release: str, architecture: str) -> dict[str, object]:
    """What a folder of fetched packages is for; a folder made for something else is fetched again."""
    return {"names": sorted(names), "distribution": distribution, "release": release, "architecture": architecture}
