# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m lantern`, the container's entry point."""

import sys

from lantern.cli import main

sys.exit(main())
