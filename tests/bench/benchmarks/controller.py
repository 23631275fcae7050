# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast Services get addresses, and what that costs: the rows about the controller."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections import Counter
from collections.abc import Callable

from . import pods, processes
from .audit import Write
from .contenders import NOBODY
from .figures import Row, quantile
from .pods import api_server
from .scenario import Scenario
from .services import CLIENTS
from .session import Session

SINGLE_COUNT = 20
CHURN_COUNT = 20
STOPS = 3
# Of which Services are made around a stop: every tenth of a second, for this long after it.
PROBE_INTERVAL = 0.1
PROBE_SECONDS = 3.0
IDLE_SECONDS = 60.0
# Written once or more for each Service; the rest (status of pools, memory of addresses) is not.
_ABOUT_SERVICES = frozenset({"services", "services/status", "events", "servicel2statuses", "servicel2statuses/status"})


def scenarios(sizes: tuple[int, ...]) -> tuple[Scenario, ...]:
    """All scenarios in the order they build on each other; `sizes`: numbers of Services, ascending."""
    sized = [scenario(size) for size in sizes for scenario in (_burst, _churn, _idle, *_STOPS)]
    return (_SINGLE, *sized)


MICRO_ROWS = (
    Row(
        key="allocate",
        what="One more address out of a /16 with 60,000 in use",
        how="in the process, no API: Lantern's within a pass, MetalLB's Allocate()",
        unit="µs",
        target=20,
    ),
    Row(
        key="allocate_pass",
        what="A whole pass over 60,001 Services, one of them new",
        how="in the process, no API; MetalLB has no such pass",
        unit="ms",
    ),
)


def _single(session: Session) -> None:
    """Memory first, as the cluster is still empty."""
    session.settle()
    for component in ("controller", "speaker"):
        session.record(f"{component}_memory@0", max(usage.resident for usage in session.pods.usage(component)))
    waits = []
    for _ in range(SINGLE_COUNT):
        name = session.services.name("single")
        started = session.services.create(name)
        session.services.wait([name])
        waits.append(session.services.watch.since[name] - started)
        session.services.delete(name)
        time.sleep(0.1)
    session.record("single_p50", quantile(waits, 0.5) * 1e3, waits)
    session.record("single_p99", quantile(waits, 0.99) * 1e3)


_ONE_BY_ONE = f"{SINGLE_COUNT} times: create, wait for the address, delete"
_SINGLE = Scenario(
    name="single",
    rows=(
        Row(
            key="single_p50",
            what="One Service on an idle cluster, create → IP, p50",
            how=_ONE_BY_ONE,
            unit="ms",
            target=30,
        ),
        Row(key="single_p99", what="The same, p99", how=_ONE_BY_ONE, unit="ms"),
        Row(
            key="controller_memory@0",
            what="Controller's resident memory without Services",
            how="VmRSS",
            unit="MiB",
            target=40,
        ),
        Row(
            key="speaker_memory@0",
            what="A speaker's resident memory without Services",
            how="VmRSS, the largest",
            unit="MiB",
            target=50,
        ),
    ),
    measure=_single,
)


def _burst(size: int) -> Scenario:
    """From what is there up to `size` Services at once."""
    title = f"{size:,} Services"

    def measure(session: Session) -> None:
        session.settle()  # Events of what was done before are still to come
        before = {c: sum(u.processor for u in session.pods.usage(c)) for c in ("controller", "speaker")}
        server = api_server(session.services.api).processor
        marked = session.audit.position()
        names = session.services.names("burst", size - session.count)
        began = time.monotonic()
        born = session.services.create_many(names)
        created = time.monotonic()
        if session.contender is NOBODY:
            session.record(f"burst_created@{size}", created - began)
            return
        session.services.wait(names)
        since = session.services.watch.since
        last = max(since[name] for name in names)
        waits = [since[name] - born[name] for name in names]
        if not session.curve:
            session.curve = sorted((born[name] - began, since[name] - began) for name in names)
        session.record(f"burst_created@{size}", created - began)
        session.record(f"burst_last@{size}", last - began)
        session.record(f"burst_lag@{size}", max(0.0, last - created))
        session.record(f"burst_p50@{size}", quantile(waits, 0.5), waits)
        session.record(f"burst_p99@{size}", quantile(waits, 0.99))
        session.fail_on_clash(f"burst_last@{size}")
        session.settle()
        for component, used in before.items():
            usages = session.pods.usage(component)
            session.record(f"{component}_cpu@{size}", (sum(u.processor for u in usages) - used) / max(1, len(usages)))
            session.record(f"{component}_memory@{size}", max(usage.resident for usage in usages))
        session.record(f"server_cpu@{size}", api_server(session.services.api).processor - server)
        writes = _without_leases(session.audit.since(marked))
        session.writes[f"burst@{size}"] = {str(kind): count for kind, count in sorted(writes.items())}
        for account in ("controller", "speaker"):
            mine = {kind: count for kind, count in writes.items() if kind.account == account}
            about = sum(count for kind, count in mine.items() if kind.resource in _ABOUT_SERVICES)
            session.record(f"{account}_writes@{size}", about / len(names))
            session.record(f"{account}_other_writes@{size}", sum(mine.values()) - about)

    created = f"{title} created by {CLIENTS} clients"
    memory = "VmRSS after the burst, the largest pod"
    return Scenario(
        name="burst",
        rows=(
            Row(
                key=f"burst_last@{size}",
                what=f"{created} → the last has its IP",
                how="from the first creation",
                target=25 if size == 1000 else None,
            ),
            Row(key=f"burst_lag@{size}", what="The same, behind the last creation", target=3 if size == 1000 else None),
            Row(
                key=f"burst_created@{size}",
                what="The same, time to create them",
                how="its own writes slow the API server down",
            ),
            Row(key=f"burst_p50@{size}", what="The same, create → IP of one Service, p50"),
            Row(key=f"burst_p99@{size}", what="The same, create → IP of one Service, p99"),
            Row(
                key=f"controller_writes@{size}",
                what="API writes of the controller about Services, for each Service assigned",
                how="API server's audit log during the burst: status patches, updates and Events",
                unit="writes",
                target=2,
            ),
            Row(
                key=f"controller_other_writes@{size}",
                what="Other API writes of the controller during the whole burst",
                how="the same log; Lantern: pool status, names and their addresses",
                unit="writes",
            ),
            Row(
                key=f"speaker_writes@{size}",
                what="API writes of all speakers about Services, for each Service assigned",
                how="the same log: ServiceL2Statuses and Events",
                unit="writes",
            ),
            Row(
                key=f"speaker_other_writes@{size}",
                what="Other API writes of all speakers during the whole burst",
                how="the same log",
                unit="writes",
            ),
            Row(
                key=f"controller_memory@{size}",
                what=f"Controller's resident memory, {title}",
                how=memory,
                unit="MiB",
                target=60 if size == 1000 else None,
            ),
            Row(
                key=f"speaker_memory@{size}",
                what=f"A speaker's resident memory, {title}",
                how=memory,
                unit="MiB",
                target=65 if size == 1000 else None,
            ),
            Row(
                key=f"controller_cpu@{size}",
                what="Processor time of the burst, one controller",
                how="/proc, until all is quiet again",
            ),
            Row(key=f"speaker_cpu@{size}", what="Processor time of the burst, one speaker", how="mean of all"),
            Row(key=f"server_cpu@{size}", what="Processor time of the burst, the API server"),
        ),
        measure=measure,
    )


def _churn(size: int) -> Scenario:
    """A Service that comes right after another went."""

    def measure(session: Session) -> None:
        session.ensure(size)
        session.settle()
        marked = session.audit.position()
        waits = []
        for _ in range(CHURN_COUNT):
            session.services.delete(next(iter(session.services.watch.addresses)))
            name = session.services.name("churn")
            started = session.services.create(name)
            session.services.wait([name])
            waits.append(session.services.watch.since[name] - started)
            time.sleep(0.2)
        session.record(f"churn_p50@{size}", quantile(waits, 0.5) * 1e3, waits)
        session.settle()
        writes = _without_leases(session.audit.since(marked))
        session.writes[f"churn@{size}"] = {str(kind): count for kind, count in sorted(writes.items())}
        mine = sum(count for kind, count in writes.items() if kind.account == "controller")
        session.record(f"churn_writes@{size}", mine / CHURN_COUNT)

    pairs = f"{CHURN_COUNT} pairs"
    return Scenario(
        name="churn",
        rows=(
            Row(
                key=f"churn_p50@{size}",
                what=f"With {size:,} Services: create right after a delete → IP, p50",
                how=pairs,
                unit="ms",
                target=_CHURN.get(size),
            ),
            Row(
                key=f"churn_writes@{size}",
                what="API writes of the controller for each such pair",
                how="API server's audit log",
                unit="writes",
            ),
        ),
        measure=measure,
    )


def _idle(size: int) -> Scenario:
    def measure(session: Session) -> None:
        session.ensure(size)
        session.settle()
        marked = session.audit.position()
        before = [sum(u.processor for u in session.pods.usage(c)) for c in ("controller", "speaker")]
        time.sleep(IDLE_SECONDS)
        after = [sum(u.processor for u in session.pods.usage(c)) for c in ("controller", "speaker")]
        writes = session.audit.since(marked)
        session.writes[f"idle@{size}"] = {str(kind): count for kind, count in sorted(writes.items())}
        rest = sum(_without_leases(writes).values())
        session.record(f"idle_writes@{size}", rest / IDLE_SECONDS * 60)
        session.record(f"idle_leases@{size}", (sum(writes.values()) - rest) / IDLE_SECONDS * 60)
        speakers = max(1, len(session.pods.of("speaker")))
        session.record(f"idle_controller_cpu@{size}", (after[0] - before[0]) / IDLE_SECONDS * 100)
        session.record(f"idle_speaker_cpu@{size}", (after[1] - before[1]) / IDLE_SECONDS * 100 / speakers)

    quiet = f"audit log over {IDLE_SECONDS:.0f} s"
    return Scenario(
        name="idle",
        rows=(
            Row(
                key=f"idle_writes@{size}",
                what=f"Idle with {size:,} Services: API writes per minute, Leases apart",
                how=quiet,
                unit="writes",
                target=0,
            ),
            Row(key=f"idle_leases@{size}", what="The same, renewals of Leases", how=quiet, unit="writes"),
            Row(
                key=f"idle_controller_cpu@{size}",
                what="The same, processor time of all controllers",
                how="/proc",
                unit="% of a core",
            ),
            Row(
                key=f"idle_speaker_cpu@{size}",
                what="The same, processor time of one speaker",
                how="/proc",
                unit="% of a core",
                target=1,
            ),
        ),
        measure=measure,
    )


def _killed(size: int) -> Scenario:
    def stop(session: Session) -> None:
        for pod in session.pods.of("controller"):
            processes.kill(pod.container)

    row = Row(
        key=f"killed@{size}",
        what=f"With {size:,} Services: all controllers killed (SIGKILL) → a new Service has its IP",
        how="the same, once; kubelet starts them again in their pods",
        target=_START.get(size),
    )
    return _outages(row, size, stop, 1)


def _deleted(size: int) -> Scenario:
    def stop(session: Session) -> None:
        for pod in session.pods.of("controller"):
            session.services.api.delete(pods.path(pod.name))

    row = Row(
        key=f"deleted@{size}",
        what=f"With {size:,} Services: all controllers' pods deleted → a new Service has its IP",
        how=f"the same, worst of {STOPS}; new pods start from nothing",
        target=_START.get(size),
    )
    return _outages(row, size, stop, STOPS)


def _lost(size: int) -> Scenario:
    def stop(session: Session) -> None:
        controllers = session.pods.of("controller")
        for pod in controllers:
            session.services.api.delete(pods.path(pod.name) + "?gracePeriodSeconds=0")
        for pod in controllers:
            processes.kill(pod.container)

    row = Row(
        key=f"lost@{size}",
        what=f"With {size:,} Services: all controllers killed and deleted without grace → a new Service has its IP",
        how=f"the same, worst of {STOPS}; new pods of other names, so that an elected one's Lease has to expire",
    )
    return _outages(row, size, stop, STOPS)


def _steady(size: int) -> Scenario:
    """What a machine that is busy with so many Services costs by itself."""
    row = Row(
        key=f"steady@{size}",
        what=f"With {size:,} Services: nothing happens, for comparison → a new Service has its IP",
        how=f"longest wait of Services made every {PROBE_INTERVAL:g} s, worst of {STOPS}",
    )
    return _outages(row, size, lambda session: None, STOPS)


def _stopped(size: int) -> Scenario:
    def stop(session: Session) -> None:
        session.services.api.delete(pods.path(session.pods.leader().name))

    row = Row(
        key=f"stopped@{size}",
        what=f"With {size:,} Services: leading controller's pod deleted gracefully → a new Service has its IP",
        how=f"the same around it, worst of {STOPS}",
        target=1,
    )
    return _outages(row, size, stop, STOPS)


def _leader(size: int) -> Scenario:
    def stop(session: Session) -> None:
        processes.kill(session.pods.leader().container)

    row = Row(
        key=f"leader@{size}",
        what=f"With {size:,} Services: leading controller killed (SIGKILL) → a new Service has its IP",
        how="the same, once",
        target=5,
    )
    return _outages(row, size, stop, 1)


# Containers that were killed come last and once each: after a second kill kubelet waits for ten seconds and more before
# it starts a container again, and pods that were deleted have taken the place of those that were killed before.
_STOPS = (_steady, _stopped, _leader, _deleted, _killed, _lost)
_START = {1000: 3.0, 5000: 6.0}
_CHURN = {1000: 60.0}


def _outages(row: Row, size: int, stop: Callable[[Session], None], count: int) -> Scenario:
    def measure(session: Session) -> None:
        session.ensure(size)
        outages = []
        for _ in range(count):
            session.pods.wait_ready()
            session.settle()
            outages.append(_outage(session, lambda: stop(session)))
        session.record(row.key, max(outages), outages)
        session.fail_on_clash(row.key)

    return Scenario(name=row.key.partition("@")[0], rows=(row,), measure=measure)


def _outage(session: Session, stop: Callable[[], None]) -> float:
    """The longest that any Service made around a stop had to wait for its address, in seconds."""
    services = session.services
    born: dict[str, float] = {}
    done = threading.Event()

    def probe() -> None:
        while not done.is_set():
            name = services.name("probe")
            born[name] = services.create(name)
            done.wait(PROBE_INTERVAL)

    with concurrent.futures.ThreadPoolExecutor(1) as prober:
        probes = prober.submit(probe)
        try:
            time.sleep(5 * PROBE_INTERVAL)
            stop()
            time.sleep(PROBE_SECONDS)
        finally:
            done.set()
        probes.result()
    services.wait(born)
    return max(services.watch.since[name] - started for name, started in born.items())


def _without_leases(writes: Counter[Write]) -> Counter[Write]:
    return Counter({kind: count for kind, count in writes.items() if kind.resource != "leases"})
