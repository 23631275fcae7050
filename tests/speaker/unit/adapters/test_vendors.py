# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is behind a MAC address."""

from __future__ import annotations

from pathlib import Path

import pytest
from lantern.adapters.vendors import describe

RASPBERRY = bytes.fromhex("b827eb123456")
IEEE = """OUI/MA-L                                                    Organization
company_id                                                  Organization

28-6F-B9   (hex)\t\tNokia Shanghai Bell Co., Ltd.\r
286FB9     (base 16)\t\tNokia Shanghai Bell Co., Ltd.\r
\t\t\t\tNo.388 Ning Qiao Road\r
B8-27-EB   (hex)\t\tRaspberry Pi Foundation\r
B827EB     (base 16)\t\tRaspberry Pi Foundation\r
"""


@pytest.mark.parametrize("text", [IEEE, "# prefixes\n286FB9 Nokia\nB827EB Raspberry Pi Foundation\n"])
def test_vendor_is_found_in_the_first_table_there_is(tmp_path: Path, text: str) -> None:
    table = tmp_path / "oui.txt"
    table.write_text(text)
    assert describe(RASPBERRY, [tmp_path / "none", table]) == "Raspberry Pi Foundation"
    assert describe(bytes.fromhex("000000000001"), [table]) == ""


def test_nothing_is_known_without_tables(tmp_path: Path) -> None:
    assert describe(RASPBERRY, [tmp_path / "none"]) == ""


def test_made_up_addresses_have_no_vendor() -> None:
    assert "locally administered" in describe(bytes.fromhex("020000000066"), [])
