# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes API: objects in (list and watch, never losing one), status and events out.

    api        requests on an authenticated HTTP client
    wire       the fields of objects that are read, as the API server writes them
    convert    wire records to core.model records
    reflector  keeps a store equal to what the API server has
    writer     Service status and Events
    configuration_state  whether the configuration can be used, as an object of its own

Timing: every kind is followed by its own task, which tries for ever. Failure: environment errors are ApiError; whoever
follows a kind logs and retries, and the store keeps its last state meanwhile.
"""
