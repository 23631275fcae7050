# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Lantern's modules talk to the cluster. PRIVATE to the homelab.lantern collection.

    connection.py       where the API server is and who we are there: options, kubeconfig, connect()
    api.py              one object, Cluster, with every call that modules make; tests replace it by a fake
    messages.py         an answer of the API server -> one sentence with its remedy
    objects.py          apply and remove manifests, and tell what really changed
    rollout.py          is a workload ready, and if not, what does a person have to know
    implementations.py  which other programs serve LoadBalancer Services in this cluster
    eligibility.py      which nodes may announce addresses, and the control plane's exclusion label
    services.py         what Services of type LoadBalancer wait for
    announcing.py       who announces which address: the speakers' metrics, ServiceL2Status, Events
    kube_proxy.py       kube-proxy's strictARP in its ConfigMap
    draining.py         which pods leave a node before it reboots
    health.py           is a node back, and do all Services answer

Everything but api.py and connection.py is pure: dictionaries as the API server sends them in, plain data out.
"""
