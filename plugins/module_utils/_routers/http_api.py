# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks to a router's HTTP API: logs in, reads the configuration, brings it to another state. PRIVATE.

What is asked and what the answers mean is decided in the driver alone.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any, Mapping
from urllib.error import HTTPError, URLError

from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url
from ansible_collections.homelab.lantern.plugins.module_utils._routers import contract
from ansible_collections.homelab.lantern.plugins.module_utils._routers.documents import Request

REQUEST_SECONDS = 20
POLL_SECONDS = 0.5


class ApiError(Exception):
    """The text is for the person at the terminal; `status` is the HTTP status, 0 for none."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """One router's API. Basic authentication, or Pi-hole's session when `session` is true."""

    def __init__(
        self, driver: Any, url: str, *, username: str, password: str, validate_certs: bool, session: bool = False
    ) -> None:
        self._driver = driver
        self._url = url.rstrip("/")
        self._username = username
        self._password = password
        self._validate_certs = validate_certs
        self._session = session
        self._headers: dict[str, str] = {}

    def __enter__(self) -> Api:
        if self._session:
            answer = self.ask(Request("log in", "POST", "/api/auth", {"password": self._password}))
            session = answer.get("session") or {}
            if not session.get("valid"):
                raise ApiError(f"{self._url} does not accept the password. {session.get('message') or ''}".strip())
            if session.get("sid"):
                self._headers["X-FTL-SID"] = str(session["sid"])
        return self

    def __exit__(self, *_problem: Any) -> None:
        if "X-FTL-SID" in self._headers:
            with contextlib.suppress(ApiError):  # else the session ends by itself
                self.ask(Request("log out", "DELETE", "/api/auth"))

    def ask(self, request: Request) -> Any:
        """The answer as JSON, None for an empty one. Raises ApiError when there is none or it is a refusal."""
        given: dict[str, Any] = {}
        if self._username and not self._session:
            given = {"url_username": self._username, "url_password": self._password, "force_basic_auth": True}
        try:
            with open_url(
                self._url + request.path,
                method=request.method,
                data=None if request.body is None else json.dumps(request.body),
                headers={"Content-Type": "application/json", "Accept": "application/json", **self._headers},
                validate_certs=self._validate_certs,
                timeout=REQUEST_SECONDS,
                **given,
            ) as reply:
                text = to_text(reply.read())
        except HTTPError as error:
            raise ApiError(self._refusal(request, error), error.code) from error
        except (URLError, SSLValidationError, UrlConnectionError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ApiError(
                f"{self._url} cannot be asked to {request.title}: {reason}. Check reserve_api_url, and for a "
                "certificate of the router's own reserve_api_validate_certs."
            ) from error
        try:
            answer = json.loads(text) if text.strip() else None
        except ValueError as error:
            raise ApiError(f"{self._url}{request.path} does not answer as an API does: {text[:80]!r}") from error
        objection = self._driver.objection(answer) if answer is not None else ""
        if objection:
            raise ApiError(f"The router refuses to {request.title}: {objection}")
        return answer

    def _refusal(self, request: Request, error: HTTPError) -> str:
        if error.code in (401, 403):
            return (
                f"{self._url} does not let this login {request.title} (HTTP status {error.code}). Check "
                "reserve_api_username and reserve_api_password, and what this user may do."
            )
        text = to_text(error.read())
        try:
            detail = self._driver.objection(json.loads(text))
        except ValueError:
            detail = ""
        return f"The router refuses to {request.title}: {detail or text[:200].strip() or error.reason}"

    def documents(self) -> dict[str, str]:
        """The configuration as texts."""
        return dict(self._driver.documents({name: self.ask(request) for name, request in self._driver.READS.items()}))

    def leases(self, now: float) -> tuple[list[contract.Lease], list[str]]:
        """The leases that the API tells about, and warnings where it does not."""
        found: list[contract.Lease] = []
        warnings: list[str] = []
        for request in self._driver.LEASES:
            try:
                found += self._driver.leases(self.ask(request), now)
            except ApiError as error:
                warnings.append(f"Leases in the pools are not seen: {error}")
        return found, warnings if len(warnings) == len(self._driver.LEASES) else []

    def test(self, after: Mapping[str, str]) -> None:
        """Has the router test a configuration, if its API can. Raises ApiError."""
        for request in self._driver.checks(after):
            self.ask(request)

    def bring(self, before: dict[str, str], after: dict[str, str], settled: Any, timeout: float) -> None:
        """From one state to the other. Raises ApiError with the former state put back when it does not come about.

        `settled`: whether a state that was read, by `documents`, is the one that is wanted.
        """
        self.test(after)
        problem = ""
        try:
            for request in self._driver.requests(before, after):
                self.ask(request)
        except ApiError as error:
            problem = str(error)
        if not problem and self._wait(settled, timeout):
            return
        problem = problem or f"The router did not take over its new settings within {timeout:g} s."
        raise ApiError(f"{problem} {self._put_back(before, timeout)}")

    def _wait(self, settled: Any, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while True:
            try:
                if settled(self.documents()):
                    return True
            except ApiError:
                pass  # a server that is starting anew
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)

    def _put_back(self, before: dict[str, str], timeout: float) -> str:
        problem = ""
        try:
            for request in self._driver.requests(self.documents(), before):
                self.ask(request)
        except ApiError as error:
            problem = str(error)
        settled = self._wait(lambda now: not contract.changes(before, now), timeout)
        if problem:
            # One that cannot save its settings goes back to them all the same, and complains again.
            outcome = "are in force again, but" if settled else "could not be put back"
            return f"The former settings {outcome}: {problem}"
        if settled:
            return "The former settings were put back."
        return "The former settings were sent, but are not in place; look at the router."
