# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints speaker/debian-arm.lock anew: `tests/env python tests/image/debian_lock.py > speaker/debian-arm.lock`.

The packages are those of the oldest Debian release that has all of them. Their digests come from the archive's index,
whose own digest the signed file InRelease has; gpgv checks the signature.
"""

from __future__ import annotations

import datetime
import email.utils
import hashlib
import lzma
import re
import subprocess
import tempfile
import urllib.request

MIRROR = "https://deb.debian.org/debian"
SUITE, MACHINE = "forky", "armhf"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# By the names that the Python packages have in speaker/requirements.lock.
PACKAGES = {
    "cffi": "python3-cffi-backend",
    "msgpack": "python3-msgpack",
    "msgspec": "python3-msgspec",
    "pyyaml": "python3-yaml",
}


def fetched(path: str) -> bytes:
    with urllib.request.urlopen(f"{MIRROR}/{path}", timeout=60) as answer:
        return bytes(answer.read())


def signed_release() -> str:
    """The text of the suite's InRelease, its signature verified."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(fetched(f"dists/{SUITE}/InRelease"))
        file.flush()
        command = ["gpgv", "--quiet", "--keyring", KEYRING, "--output", "-", file.name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def index(release: str) -> dict[str, dict[str, str]]:
    """The fields of each package for MACHINE, by the package's name."""
    name = f"main/binary-{MACHINE}/Packages.xz"
    expected = re.search(rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(name)}$", release, re.MULTILINE)
    content = fetched(f"dists/{SUITE}/{name}")
    if expected is None or hashlib.sha256(content).hexdigest() != expected[1]:
        raise SystemExit(f"{name} is not what InRelease says: the mirror is being updated; try again in some minutes")
    paragraphs = lzma.decompress(content).decode().split("\n\n")
    fields = (dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", text, re.MULTILINE)) for text in paragraphs)
    return {one["Package"]: one for one in fields if "Package" in one}


def main() -> None:
    release = signed_release()
    found = index(release)
    pythons = {re.findall(r"python3 \(>= ([\d.]+)", found[name]["Depends"])[-1] for name in PACKAGES.values()}
    if len(pythons) != 1:
        raise SystemExit(f"{SUITE} compiles them for different Pythons, {', '.join(sorted(pythons))}: try again later")
    dated = re.search(r"^Date: (.*)$", release, re.MULTILINE)
    if dated is None:
        raise SystemExit(f"InRelease of {SUITE} has no Date")
    when = email.utils.parsedate_to_datetime(dated[1]).astimezone(datetime.UTC)
    print(f"# What stands in for wheels on 32-bit ARM: packages of Debian {SUITE} for {MACHINE}, unpacked.")
    print("# Made by tests/image/debian_lock.py.")
    print(f"python {pythons.pop()}")
    print(f"snapshot {when:%Y%m%dT%H%M%SZ}")
    for requirement, name in PACKAGES.items():
        print(requirement, found[name]["Filename"], found[name]["SHA256"])


if __name__ == "__main__":
    main()
