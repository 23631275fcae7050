# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancer's own pods: which there are, which one leads, what they use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from homelab.shell import LabError

from . import processes
from .api import ClusterApi, RefusedError
from .processes import Usage
from .services import until

SYSTEM = "metallb-system"
READY_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod: `container` is the id of its first container, empty while it has none; `node` may be empty, too."""

    name: str
    container: str
    ready: bool
    node: str

    @property
    def runs(self) -> bool:
        """Whether it is ready, and not only by the last word of a node that has been switched off since."""
        return self.ready and bool(self.container) and bool(processes.of_container(self.container))


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of Deployment `controller` and DaemonSet `speaker`. `lease`: of the leader, empty without election."""

    api: ClusterApi
    lease: str

    def of(self, component: str) -> list[Pod]:
        """Those of one component (controller, speaker) that are not on their way out."""
        return listed(self.api, f"{path()}?labelSelector=component%3D{component}")

    def leader(self) -> Pod:
        """The controller that works now: the holder of the Lease; without election the only one.

        Raises:
            LabError: there is none.
        """
        pods = self.of("controller")
        if self.lease:
            holder = self._holder()
            pods = [pod for pod in pods if pod.name == holder]
        if len(pods) != 1:
            raise LabError(f"no controller leads: of those that run, Lease {self.lease or '(none)'} names none")
        return pods[0]

    def _holder(self) -> str:
        try:
            lease = self.api.get(f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{self.lease}")
        except RefusedError as refused:
            if refused.status == 404:
                return ""
            raise
        return str(lease["spec"].get("holderIdentity") or "")

    def wait_ready(self) -> None:
        """Wait until Deployment `controller` is complete and one of its pods leads."""

        def complete() -> bool:
            wanted = self.api.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/controller")["spec"]["replicas"]
            pods = self.of("controller")
            return len(pods) == wanted and all(pod.ready for pod in pods) and self.has_leader()

        until(complete, READY_SECONDS, "the controller's pods are ready and one leads")

    def has_leader(self) -> bool:
        try:
            self.leader()
        except LabError:
            return False
        return True

    def usage(self, component: str) -> list[Usage]:
        """What each pod of a component uses."""
        return [processes.usage(processes.of_container(pod.container)) for pod in self.of(component) if pod.container]


def path(name: str = "") -> str:
    """The load balancer's pods, or one of them, in the API."""
    return f"/api/v1/namespaces/{SYSTEM}/pods" + (f"/{name}" if name else "")


def api_server(api: ClusterApi) -> Usage:
    """What the API server itself uses."""

    def container() -> str:
        found = listed(api, "/api/v1/namespaces/kube-system/pods?labelSelector=component%3Dkube-apiserver")
        return found[0].container if found else ""

    # It was started anew for its audit log, and kubelet tells of that a while later.
    until(lambda: bool(container()), READY_SECONDS, "kubelet tells of the API server's container")
    return processes.usage(processes.of_container(container()))


def listed(api: ClusterApi, path: str) -> list[Pod]:
    """The pods under an API path that are not on their way out."""
    return [_pod(item) for item in api.get(path)["items"] if "deletionTimestamp" not in item["metadata"]]


def _pod(item: dict[str, Any]) -> Pod:
    statuses = item["status"].get("containerStatuses") or [{}]
    return Pod(
        name=item["metadata"]["name"],
        container=statuses[0].get("containerID", ""),
        ready=bool(statuses[0].get("ready")),
        node=item["spec"].get("nodeName", ""),
    )
