# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs and telling the person at the terminal how far things are."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class LabError(RuntimeError):
    """What went wrong, in words for the person at the terminal; says where the log is."""


def die_with_parent() -> None:
    """Called in a child before exec: end when `lab` itself is killed, so that nothing goes on building unseen."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(command: Sequence[str], *, log: Path | None = None, stdin: str | None = None, check: bool = True) -> str:
    """Run a program, return its standard output; all of its output also goes to `log`.

    Raises:
        LabError: it exited with a status other than 0 (only with `check`), naming the program, the last lines it
            printed and the log.
    """
    done = subprocess.run(
        list(command),
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        preexec_fn=die_with_parent,
    )
    if log is not None:
        with log.open("a") as file:
            file.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}")
    if check and done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        where = f"\nwhole log: {log}" if log else ""
        raise LabError(f"{command[0]} ended with status {done.returncode}:\n{tail}{where}")
    return done.stdout


def logged(command: Sequence[str], log: Path, *, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    """Run a long program with all output into `log`.

    Raises:
        LabError: as `run`.
    """
    with log.open("ab") as file:
        start = file.tell()
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            preexec_fn=die_with_parent,
        )
    if done.returncode:
        tail = log.read_bytes()[start:].decode(errors="replace").strip().splitlines()[-12:]
        raise LabError(f"{command[0]} ended with status {done.returncode}:\n" + "\n".join(tail) + f"\nwhole log: {log}")


def paint(text: str, code: str) -> str:
    """`text` in a terminal colour, or as it is where nobody would see the colour."""
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() or os.environ.get("FORCE_COLOR") else text


@contextlib.contextmanager
def stage(title: str) -> Iterator[None]:
    """Print `title` at once and its elapsed time when it is done or has failed."""
    started = time.monotonic()
    print(f"  {title} …", end="", flush=True)
    try:
        yield
    except BaseException:
        print(paint(f" failed after {time.monotonic() - started:.1f} s", "31"), flush=True)
        raise
    print(paint(f" {time.monotonic() - started:.1f} s", "2"), flush=True)
