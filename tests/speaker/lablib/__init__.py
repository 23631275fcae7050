# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real world in small: a Kubernetes API server, network namespaces, processes of Lantern."""
