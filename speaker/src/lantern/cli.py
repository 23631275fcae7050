# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: `lantern --version`, `lantern controller`, `lantern speaker`, `lantern convert`,
`lantern explain`, `lantern members`.

Reads arguments and environment, exactly once, and hands the result to the process's composition root.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from lantern.arguments import SettingsError, load
from lantern.settings import ControllerSettings, ConvertSettings, ExplainSettings, MembersSettings


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run until told to stop by SIGTERM or SIGINT; returns the exit status (2: the settings are unusable)."""
    try:
        settings = load(sys.argv[1:] if argv is None else argv, os.environ if environ is None else environ)
    except SettingsError as error:
        for line in error.problems:
            print(f"lantern: {line}", file=sys.stderr)
        return 2
    # Imported late: neither process should pay memory for what only the other one needs.
    if isinstance(settings, ControllerSettings):
        from lantern.app.controller import run as run_controller

        return run_controller(settings)
    if isinstance(settings, ConvertSettings):
        from lantern.app.convert import run as run_convert

        return run_convert(settings)
    if isinstance(settings, ExplainSettings):
        from lantern.app.explain import run as run_explain

        return run_explain(settings)
    if isinstance(settings, MembersSettings):
        from lantern.app.members import run as run_members

        return run_members(settings)
    from lantern.app.speaker import run as run_speaker

    return run_speaker(settings)
