# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer of the API server as one sentence with its remedy. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import json
import typing as t

REMEDIES = {
    400: "Correct the object; the API server does not understand it.",
    401: "The credentials are not accepted (expired?): fetch a fresh kubeconfig from the control plane.",
    403: "The user of this kubeconfig lacks that right: use the administrator's kubeconfig.",
    404: "It, its namespace or its kind does not exist: run the deploy stage from its beginning.",
    409: "Something else is changing it at the same time: run the play again.",
    422: "Correct the value named above; it usually comes from the inventory.",
    429: "The API server is overloaded: run the play again in a minute.",
}
SERVER_SIDE_REMEDY = "The API server itself has a problem: look at its log, then run the play again."
WEBHOOK_REMEDY = (
    "An admission webhook registered in this cluster does not answer: start its program, or remove its "
    "ValidatingWebhookConfiguration or MutatingWebhookConfiguration if the program is gone; those of MetalLB go with "
    "lantern_replace_metallb: true."
)


def name_of(manifest: dict[str, t.Any]) -> str:
    """Kind namespace/name, or Kind name for cluster-wide objects, as people say it."""
    metadata = manifest.get("metadata") or {}
    name = metadata.get("name") or "without a name"
    namespace = metadata.get("namespace")
    return f"{manifest.get('kind', 'object')} {namespace + '/' if namespace else ''}{name}"


def causes(status: dict[str, t.Any]) -> list[str]:
    """`field: message` for every cause that the API server names in a Status object."""
    details = status.get("details") or {}
    told = []
    for cause in details.get("causes") or []:
        field, message = cause.get("field"), cause.get("message", "")
        told.append(f"{field}: {message}" if field else message)
    return told


def explain(verb: str, subject: str, code: int, body: t.Any) -> str:
    """The sentence for a refused request.

    `verb` is what was tried ("apply"), `subject` to what, `code` the HTTP status and `body` the answer's text (a JSON
    Status object if the API server wrote it, anything if a proxy did).
    """
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    try:
        status = json.loads(body) if body else {}
    except ValueError:
        status = {"message": str(body).strip()[:300]}
    if not isinstance(status, dict):
        status = {}
    message = str(status.get("message") or f"HTTP status {code}")
    reasons = causes(status)
    told = "; ".join(reasons) if reasons else message
    remedy = WEBHOOK_REMEDY if "failed calling webhook" in message else REMEDIES.get(code)
    # A value of the wrong type, which server-side apply reports as a fault of its own.
    if "failed to create typed patch object" in message:
        remedy = REMEDIES[422]
    if remedy is None:
        remedy = SERVER_SIDE_REMEDY if code >= 500 else "Look at the message above."
    return f"Cannot {verb} {subject}: {told.rstrip('.')}. {remedy}"


def unreachable(server: str, cause: t.Any) -> str:
    """The sentence for an API server that does not answer at all."""
    text = str(cause)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            f"The API server {server} shows a certificate that the kubeconfig does not trust ({_inner(text)}). "
            "Use the kubeconfig of this very cluster, with a server address that its certificate names."
        )
    return (
        f"The API server {server} does not answer ({_inner(text)}). Check that the control plane is up and that this "
        "machine reaches that address; lantern_kubeconfig can name a file with another address."
    )


def _inner(text: str) -> str:
    """The innermost cause of urllib3's nested messages: what is between the last 'Caused by' and the end."""
    inner = text.rsplit("Caused by", 1)[-1].strip().lstrip("(")
    for opening in ("NewConnectionError(", "ConnectTimeoutError(", "SSLError("):
        inner = inner.replace(opening, "")
    return inner.strip("()'\" ")[-200:]
