# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process outside a pod reaches the API server: by a kubeconfig, which lightkube reads."""

from __future__ import annotations

import os

from lightkube.config.client_adapter import user_auth, verify_cluster
from lightkube.config.kubeconfig import DEFAULT_KUBECONFIG, KubeConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from lantern.adapters.kube.service_account import Access


def access() -> Access:
    """By the file that KUBECONFIG names, else the default one. Raises ValueError or OSError when it is not usable."""
    try:
        config = KubeConfig.from_file(os.environ.get("KUBECONFIG", DEFAULT_KUBECONFIG)).get()
    except (ConfigError, KeyError) as error:
        raise ValueError(str(error)) from error
    if config is None:
        raise ValueError("the kubeconfig has no current context")
    user = config.user or User()
    # Proxies of the environment are left out: they are meant for the Internet, not for the cluster's own address.
    tls = verify_cluster(config.cluster, user, config.abs_file, trust_env=False)
    return Access(config.cluster.server, tls, user_auth(user))
