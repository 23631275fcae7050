# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints of Services, which may be spread over several EndpointSlices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lantern.adapters.kube.convert import Slice
from lantern.core.model import Endpoint, ServiceKey

ByService = Mapping[ServiceKey, tuple[Endpoint, ...]]


def by_service(slices: Iterable[Slice]) -> ByService:
    """All endpoints of each Service. Where there is one slice they are the very same tuple, until it changes."""
    endpoints: dict[ServiceKey, tuple[Endpoint, ...]] = {}
    for part in slices:
        if part.service is not None:
            before = endpoints.get(part.service)
            endpoints[part.service] = part.endpoints if before is None else (*before, *part.endpoints)
    return endpoints


class ServiceEndpoints:
    """The same, remembered for as long as no slice changes."""

    def __init__(self) -> None:
        self._slices: tuple[Slice, ...] = ()
        self._found: ByService = {}

    def of(self, slices: tuple[Slice, ...]) -> ByService:
        """All endpoints of each Service; `slices` are told apart by identity."""
        if slices is not self._slices:
            self._slices, self._found = slices, by_service(slices)
        return self._found
