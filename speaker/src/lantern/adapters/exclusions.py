# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that are never announced on, from a file that may change: MetalLB's ConfigMap metallb-excludel2.

announcedInterfacesToExclude: ["^docker.*", "^cbr.*"]
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from lantern.adapters.links import exclusion
from lantern.adapters.logs import fields

log = logging.getLogger("lantern.exclusions")

EXCLUSIONS_FILE = Path("/etc/metallb/excludel2.yaml")
_KEY = "announcedInterfacesToExclude"
_Stamp = tuple[int, int, int]


class InterfaceExclusions:
    """The expression that excluded interfaces match. It is read again when the file has changed."""

    def __init__(self, file: Path = EXCLUSIONS_FILE) -> None:
        self._file = file
        self._stamp: _Stamp | None = None
        self._current = exclusion()

    def current(self) -> re.Pattern[str]:
        """What holds now: the file's list, or the default without a file. A broken file changes nothing, and is told of
        once."""
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return self._current
        self._stamp = stamp
        if stamp is None:
            self._current = exclusion()
            return self._current
        try:
            patterns = _patterns(self._file.read_text())
        except (OSError, ValueError) as error:
            log.error(
                "list of excluded interfaces cannot be used", extra=fields(file=str(self._file), error=str(error))
            )
            return self._current
        self._current = exclusion(patterns)
        log.info("list of excluded interfaces read", extra=fields(file=str(self._file), patterns=patterns))
        return self._current

    def _read_stamp(self) -> _Stamp | None:
        try:
            # kubelet puts another file in its place, with another inode, when the ConfigMap changes.
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _patterns(text: str) -> list[str]:
    """Raises ValueError naming what is wrong."""
    # Most clusters have no such file, and their speakers no need of a YAML parser in memory.
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    found = content.get(_KEY, []) if isinstance(content, dict) else None
    if found is None and isinstance(content, dict):
        return []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError(f"{_KEY} is not a list of regular expressions: write, for example, {_KEY}: ['^docker.*']")
    for pattern in found:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f'{_KEY}: "{pattern}" is not a regular expression ({error}): correct or remove it'
            ) from error
    return found
