# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the last good configuration in force and tells about a bad one.

It is told in the log, by metrics, in ConfigurationState, in the readiness of the controller, and by Events on the
objects that are to blame: each on change only.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lantern.adapters.kube import convert
from lantern.adapters.kube.configuration_state import StateKeeper, Verdict
from lantern.adapters.kube.reflector import Store
from lantern.adapters.kube.writer import EventRecorder
from lantern.adapters.logs import fields
from lantern.core.communities import Aliases
from lantern.core.config import Configuration, Inputs, adopt, adopt_part
from lantern.core.legacy import Legacy
from lantern.core.model import L2Advertisement, Node, ObjectRef, PoolSpec
from lantern.core.surroundings import Surroundings
from lantern.core.validation import pool_where
from lantern.metrics import ClientMetrics, ControllerMetrics
from lantern.pools import Problem

log = logging.getLogger("lantern.config")

_PROBLEM_REASON = "ConfigurationError"


@dataclass(frozen=True, slots=True)
class Sources:
    """What the configuration is read from. The nodes' store is also used for other things, so it is given."""

    pools: Store[PoolSpec]
    communities: Store[Aliases]
    config_map: Store[Legacy]
    nodes: Store[Node]
    advertisements: Store[L2Advertisement] | None = None
    """None: this process announces nothing."""

    @classmethod
    def of(cls, namespace: str, config_map: str, nodes: Store[Node], announces: bool) -> Sources:
        """Stores for the objects in this namespace; `config_map` is the name of the old ConfigMap."""
        kinds = f"/apis/metallb.io/v1beta1/namespaces/{namespace}"
        maps = f"/api/v1/namespaces/{namespace}/configmaps"
        advertisements = Store("l2advertisements", f"{kinds}/l2advertisements", convert.l2_advertisement)
        return cls(
            pools=Store("ipaddresspools", f"{kinds}/ipaddresspools", convert.pool),
            communities=Store("communities", f"{kinds}/communities", convert.community),
            config_map=Store("configmaps", maps, convert.legacy, only=config_map),
            nodes=nodes,
            advertisements=advertisements if announces else None,
        )

    @property
    def stores(self) -> tuple[Store[Any], ...]:
        """All but that of the nodes: to be followed, and all synced before the first refresh."""
        shared: tuple[Store[Any], ...] = (self.pools, self.communities, self.config_map)
        return shared if self.advertisements is None else (*shared, self.advertisements)

    def inputs(self, around: Surroundings) -> Inputs:
        """What the cluster has now, in an order that does not depend on history."""
        return Inputs(
            pools=tuple(sorted(self.pools.values(), key=lambda spec: spec.pool.name)),
            advertisements=_by_name(self.advertisements.values() if self.advertisements is not None else ()),
            communities=tuple(sorted(self.communities.values(), key=lambda item: item.where)),
            legacy=next(self.config_map.values(), None),
            unreadable=tuple(sorted(problem for store in self.stores for problem in store.unreadable())),
            nodes=_by_name(self.nodes.values()),
            around=around,
        )


class ConfigurationKeeper:
    """The configuration in force, refreshed at the beginning of each pass.

    With `events`, objects to blame get Events while `may_tell` allows it. A process that `goes_on_in_part` uses what is
    in order of a configuration that is bad from the start; see `core.config`.
    """

    def __init__(
        self,
        metrics: ClientMetrics,
        sources: Sources,
        state: StateKeeper,
        around: Surroundings = Surroundings(),  # noqa: B008 - frozen
        events: EventRecorder | None = None,
        may_tell: Callable[[], bool] = lambda: True,
        goes_on_in_part: bool = False,
    ) -> None:
        self._metrics = metrics
        self._sources = sources
        self._state = state
        self._around = around
        self._events = events
        self._may_tell = may_tell
        self._goes_on_in_part = goes_on_in_part
        self._seen: Inputs | None = None
        self._told: frozenset[Problem] = frozenset()
        self._may_be_told = True
        """Whether another process may have told what is to be told next."""
        self._adopted = Configuration()
        self.current = Configuration()
        """What is in force."""

    def refresh(self) -> Configuration:
        """The configuration in force, after looking at the newest one."""
        inputs = self._sources.inputs(self._around)
        if inputs != self._seen:
            self._seen = inputs
            before, self._adopted = self._adopted, adopt(self._adopted, inputs)
            self._put_in_force(inputs)
            self._tell(before, self._adopted)
        self._tell_objects(inputs)
        self._state.want(_verdict(self._adopted))
        return self.current

    def not_ready(self, namespace: str) -> str | None:
        """Why no Service can get an address by this configuration; None when they can."""
        if self.current.pools:
            return None
        if self.current.problems:
            return f"no configuration: {self.current.problems[0].message}"
        return f"no configuration: there is no IPAddressPool in namespace {namespace}"

    def stale(self) -> str | None:
        """What is wrong with the newest configuration, while something else is in force; None when nothing is."""
        if self.current.pools is None or not self.current.problems:
            return None
        instead = "the last valid one" if self._adopted.is_loaded else "the part of it that is in order"
        told = "\n".join(problem.message for problem in self.current.problems)
        return f"the newest configuration is refused, {instead} is in force:\n{told}"

    def _put_in_force(self, inputs: Inputs) -> None:
        before, self.current = self.current, self._adopted
        if not self._adopted.is_loaded and self._goes_on_in_part:
            self.current = adopt_part(inputs)
        if self.current.pools is not None and self.current.pools != before.pools:
            names = [spec.pool.name for spec in self.current.pools]
            detail = fields(pools=names, complete=self._adopted.is_loaded)
            log.info("configuration in force", extra=detail)

    def _tell(self, before: Configuration, after: Configuration) -> None:
        self._metrics.config_loaded.set(after.is_loaded)
        self._metrics.config_stale.set(after.is_stale)
        kept = "the last valid one stays in force" if after.is_loaded else "none is in force yet"
        for problem in _news(before.problems, after.problems):
            log.error(
                "configuration refused", extra=fields(code=problem.code, problem=problem.message, consequence=kept)
            )
        if before.problems and not after.problems:
            log.info("configuration is in order again")
        for warning in _news(before.warnings, after.warnings):
            log.warning("questionable pool", extra=fields(code=warning.code, problem=warning.message))
        if isinstance(self._metrics, ControllerMetrics):
            self._metrics.pool_warnings.clear()
            names = {pool_where(spec.pool.name): spec.pool.name for spec in after.pools or ()}
            for (where, code), number in Counter((item.where, item.code) for item in after.warnings).items():
                self._metrics.pool_warnings.labels(pool=names[where], code=code).set(number)

    def _tell_objects(self, inputs: Inputs) -> None:
        """Events on the objects to blame: once for each thing, by the first process that may."""
        if self._events is None or not self._may_tell():
            self._may_be_told = True
            return
        reasons = {item: _PROBLEM_REASON for item in self._adopted.problems}
        reasons |= {item: _camel_case(item.code) for item in self._adopted.warnings}
        news = [item for item in reasons if item not in self._told]
        self._told = frozenset(reasons)
        blamed = _blamed(inputs) if news else {}
        for item in news:
            if item.where in blamed:
                told = (blamed[item.where], "Warning", reasons[item], item.message)
                self._events.record(*told, code=item.code, unless_told=self._may_be_told)
        self._may_be_told = False


def _camel_case(code: str) -> str:
    """Reasons of Events look like "HoldsRouter"."""
    return "".join(part.capitalize() for part in code.split("-"))


def _by_name(items: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(items, key=lambda item: str(item.name)))


def _news(before: tuple[Problem, ...], after: tuple[Problem, ...]) -> Iterator[Problem]:
    return (item for item in after if item not in before)


def _blamed(inputs: Inputs) -> dict[str, ObjectRef]:
    """Which object a problem is about, by its `where`."""
    blamed: dict[str, ObjectRef] = {}
    if inputs.legacy is not None and inputs.legacy.object is not None:
        blamed.update((problem.where, inputs.legacy.object) for problem in inputs.legacy.problems)
        for pool in inputs.legacy.pools:
            blamed[pool_where(pool.name)] = inputs.legacy.object
            blamed[inputs.legacy.place(pool.name)] = inputs.legacy.object
    blamed.update((place.where, place.object) for place in inputs.communities if place.object is not None)
    blamed.update((pool_where(spec.pool.name), spec.object) for spec in inputs.pools if spec.object is not None)
    return blamed


def _verdict(configuration: Configuration) -> Verdict:
    return Verdict(
        tuple(problem.message for problem in configuration.problems),
        tuple(warning.message for warning in configuration.warnings),
    )
