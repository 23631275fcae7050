# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's main() in this process and returns what it would have printed."""

from __future__ import annotations

import typing as t

from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args


class EndedError(Exception):
    """exit_json or fail_json was called."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        super().__init__()
        self.result = result


def run(
    module: t.Any, monkeypatch: t.Any, *, check: bool = False, diff: bool = False, **options: t.Any
) -> dict[str, t.Any]:
    """The module's result; `failed` is always in it."""

    def end(_module: t.Any, **result: t.Any) -> t.NoReturn:
        raise EndedError(dict({"failed": False}, **result))

    def fail(_module: t.Any, **result: t.Any) -> t.NoReturn:
        raise EndedError(dict(result, failed=True))

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", fail)
    with patch_module_args(dict(options, _ansible_check_mode=check, _ansible_diff=diff)):
        try:
            module.main()
        except EndedError as ended:
            return ended.result
    raise AssertionError("the module returned without a result")
