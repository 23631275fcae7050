# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason why a Service has no address, or why a node does not announce one.

A reason's value is its stable name: it is in Events, logs and metric labels. Its meaning is written for the cluster's
owner.
"""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """Reasons for every "no"."""

    # Allocation: why a Service has no (or loses its) address.
    NOT_LOAD_BALANCER = "notLoadBalancer"
    NO_CLUSTER_IP = "noClusterIP"
    NOT_DUAL_STACK = "notDualStack"
    BAD_REQUEST = "badRequest"
    FAMILY_MISMATCH = "familyMismatch"
    NOT_IN_POOLS = "notInPools"
    UNKNOWN_POOL = "unknownPool"
    OTHER_POOL_REQUESTED = "otherPoolRequested"
    OTHER_ADDRESS_REQUESTED = "otherAddressRequested"
    POOL_NOT_COMPATIBLE = "poolNotCompatible"
    ADDRESS_IN_USE = "addressInUse"
    SHARING_KEY_DIFFERS = "sharingKeyDiffers"
    SHARING_PODS_DIFFER = "sharingPodsDiffer"
    PORT_IN_USE = "portInUse"
    AVOIDED_ADDRESS = "avoidedAddress"
    SPLIT_OVER_POOLS = "splitOverPools"
    PINNED_FOR_ANOTHER = "pinnedForAnother"
    PINNED_ELSEWHERE = "pinnedElsewhere"
    NO_FREE_ADDRESS = "noFreeAddress"
    NO_POOL = "noPool"
    NO_OPEN_POOL = "noOpenPool"
    POOL_WITHOUT_FAMILY = "poolWithoutFamily"
    POOL_PENDING = "poolPending"
    POOL_NOT_AUTOMATIC = "poolNotAutomatic"
    POOL_NOT_NEEDED = "poolNotNeeded"
    DEPRECATED_ANNOTATION = "deprecatedAnnotation"

    # Announcement: why this node does not answer for an address.
    NO_ADDRESS = "noIPAllocated"
    INVALID_ADDRESS = "invalidIP"
    ADDRESS_NOT_IN_POOL = "ipNotAllowed"
    NO_SERVING_ENDPOINT = "noServingEndpoint"
    NO_ADVERTISEMENT = "noMatchingAdvertisement"
    SHARED_AND_SELECTED = "sharedIPWithServiceSelector"
    SHARED_ELSEWHERE = "sharedAddressElsewhere"
    NODE_NOT_SELECTED = "nodeNotSelected"
    NODE_EXCLUDED = "nodeExcluded"
    NODE_NOT_READY = "nodeNotReady"
    NODE_NETWORK_UNAVAILABLE = "nodeNetworkUnavailable"
    NODE_WITHOUT_ENDPOINT = "nodeWithoutEndpoint"
    NOT_OWNER = "notOwner"
    NO_INTERFACE = "noInterface"
    NO_CARRIER = "noCarrier"
    NODE_ADDRESS_LOST = "nodeAddressLost"
    PROBING = "probing"
    IN_USE_ELSEWHERE = "inUseElsewhere"
    NO_SPEAKER = "noSpeaker"
    STARTING = "speakerStarting"
    LEAVING = "speakerLeaving"

    @property
    def meaning(self) -> str:
        """One line that explains the reason."""
        return _MEANINGS[self]


_MEANINGS: dict[Reason, str] = {
    Reason.NOT_LOAD_BALANCER: "the Service is not of type LoadBalancer (any more)",
    Reason.NO_CLUSTER_IP: "the Service has no cluster address, so there is nothing to balance to",
    Reason.NOT_DUAL_STACK: "the Service requires both address families but has cluster addresses of one only",
    Reason.BAD_REQUEST: "the addresses that the Service asks for cannot be read",
    Reason.FAMILY_MISMATCH: "the addresses are not of the Service's address families",
    Reason.NOT_IN_POOLS: "no pool holds the address, or its pool avoids it",
    Reason.UNKNOWN_POOL: "the Service asks for a pool that does not exist",
    Reason.OTHER_POOL_REQUESTED: "the Service asks for a pool that does not hold the address",
    Reason.OTHER_ADDRESS_REQUESTED: "the Service asks for another address than it has",
    Reason.POOL_NOT_COMPATIBLE: "the pool is not for this Service's namespace or labels",
    Reason.ADDRESS_IN_USE: "another Service has the address",
    Reason.SHARING_KEY_DIFFERS: "another Service has the address, with another sharing key",
    Reason.SHARING_PODS_DIFFER: "another Service shares the address, but its connections go to other pods",
    Reason.PORT_IN_USE: "a Service that shares the address has the port already",
    Reason.AVOIDED_ADDRESS: "the pool avoids addresses that end in .0 or .255",
    Reason.SPLIT_OVER_POOLS: "the addresses are in different pools, but both have to be of one",
    Reason.PINNED_FOR_ANOTHER: "the address is held for another Service",
    Reason.PINNED_ELSEWHERE: "another address is held for the Service",
    Reason.NO_FREE_ADDRESS: "no pool open to the Service has a free address",
    Reason.NO_POOL: "the cluster has no address pool",
    Reason.NO_OPEN_POOL: "every pool is reserved for other Services or used on request only",
    Reason.POOL_WITHOUT_FAMILY: "no pool open to the Service has addresses of its family, or of both together",
    Reason.POOL_PENDING: "the pool's addresses are not known yet",
    Reason.POOL_NOT_AUTOMATIC: "the pool is used on request only (autoAssign: false)",
    Reason.POOL_NOT_NEEDED: "the Service has its address from another pool",
    Reason.DEPRECATED_ANNOTATION: "the Service uses an annotation of the old prefix metallb.universe.tf/",
    Reason.NO_ADDRESS: "the Service has no address yet",
    Reason.INVALID_ADDRESS: "the Service's status holds something that is not an address",
    Reason.ADDRESS_NOT_IN_POOL: "no pool holds all addresses of the Service",
    Reason.NO_SERVING_ENDPOINT: "no endpoint of the Service is ready",
    Reason.NO_ADVERTISEMENT: "no L2Advertisement covers the pool and the Service",
    Reason.SHARED_AND_SELECTED: "the Service shares its address, but an L2Advertisement selects Services by label",
    Reason.SHARED_ELSEWHERE: "no node can announce all Services that share the address; others of them come first",
    Reason.NODE_NOT_SELECTED: "no L2Advertisement of the pool selects this node",
    Reason.NODE_EXCLUDED: "the node is labelled node.kubernetes.io/exclude-from-external-load-balancers",
    Reason.NODE_NOT_READY: "the node is not Ready, or unknown to the cluster",
    Reason.NODE_NETWORK_UNAVAILABLE: "the node's network is unavailable",
    Reason.NODE_WITHOUT_ENDPOINT: "externalTrafficPolicy is Local and no endpoint on this node is ready",
    Reason.NOT_OWNER: "another node owns the address",
    Reason.NO_INTERFACE: "none of the interfaces that the L2Advertisement names exists on this node",
    Reason.NO_CARRIER: "no interface for the address has a carrier on this node",
    Reason.NODE_ADDRESS_LOST: "the node has lost its own address, by which the other nodes reach it",
    Reason.PROBING: "whether a host outside the cluster has the address is being asked",
    Reason.IN_USE_ELSEWHERE: "a host outside the cluster has the address",
    Reason.NO_SPEAKER: "no speaker is heard on the node",
    Reason.STARTING: "this speaker has just started and does not know yet what the others announce",
    Reason.LEAVING: "this speaker is stopping and hands its addresses over",
}
