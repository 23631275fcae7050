# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `lab` command on one lab by name."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Home:
    """A lab by its name; it need not be up."""

    name: str

    @property
    def program(self) -> Path:
        return Path(__file__).resolve().parents[1] / "lab"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "LAB_NAME": self.name, "ANSIBLE_NOCOLOR": "1"}

    def lab(self, *arguments: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.program, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            input=stdin or "",
            cwd="/",
            timeout=300,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done
