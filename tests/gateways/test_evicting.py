"""Evictions as an API server answers them: budgets are no overload, and only what may be repeated is."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import urllib3

from eksnetpol.errors import Busy, Conflict, Denied, Rejected, TransientError, Unreachable
from eksnetpol.gateways.evicting import EvictCalls
from eksnetpol.gateways.kubernetes_http import ApiServer, Credentials
from eksnetpol.model.kinds import POD, ObjectRef

REF = ObjectRef.to(POD, "web-1", "shop")


class Pool:
    """Answers one after the other, the last one again and again; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    def request(self, method: str, url: str, *, body: bytes | None, **_: Any) -> urllib3.HTTPResponse:
        """Answer."""
        self.asked.append((method, url.partition("6443")[2], None if body is None else json.loads(body)))
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(said, Exception):
            raise said
        status, document = said
        return urllib3.HTTPResponse(io.BytesIO(json.dumps(document).encode()), status=status, preload_content=False)


class Calls(EvictCalls):
    """Evictions over such a pool, without pauses."""

    def __init__(self, *answers: Any) -> None:
        self.pool = Pool(*answers)
        self.waits: list[float] = []
        self.api = ApiServer("https://127.0.0.1:6443", self.pool, Credentials(), sleep=self.waits.append)


def status(message: str, *causes: dict[str, str], reason: str = "") -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "details": {"causes": list(causes)}}


BUDGET = status(
    "Cannot evict pod as it would violate the pod's disruption budget.",
    {"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2 currently"},
    reason="TooManyRequests",
)
DONE = (201, {"kind": "Status", "status": "Success"})


def test_an_eviction_says_whom_it_means() -> None:
    calls = Calls(DONE)
    calls.evict(REF, uid="u-1")
    ((method, path, body),) = calls.pool.asked
    assert (method, path) == ("POST", "/api/v1/namespaces/shop/pods/web-1/eviction")
    assert body["apiVersion"] == "policy/v1"
    assert body["kind"] == "Eviction"
    assert body["metadata"] == {"name": "web-1", "namespace": "shop"}
    assert body["deleteOptions"] == {"preconditions": {"uid": "u-1"}}
    calls.evict(REF)
    assert "deleteOptions" not in calls.pool.asked[-1][2]


def test_a_budget_that_allows_nothing_is_told_at_once_and_by_name() -> None:
    calls = Calls((429, BUDGET))
    with pytest.raises(Busy, match="disruption budget web needs 2 healthy pods and has 2 currently"):
        calls.evict(REF, uid="u-1")
    assert len(calls.pool.asked) == 1, "who asks again at what pace is the run's business"
    assert calls.waits == []


def test_a_server_that_has_too_much_to_do_is_no_budget() -> None:
    calls = Calls((429, status("too many requests, please try again later", reason="TooManyRequests")), DONE)
    calls.evict(REF)
    assert len(calls.pool.asked) == 2
    with pytest.raises(TransientError):
        Calls((429, status("too many requests"))).evict(REF, uid="u-1")


def test_a_pod_of_two_budgets_is_never_evicted_and_not_asked_for_again() -> None:
    two = status("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
    calls = Calls((500, two))
    with pytest.raises(Rejected, match="more than one PodDisruptionBudget"):
        calls.evict(REF, uid="u-1")
    assert len(calls.pool.asked) == 1


def test_a_pod_that_is_gone_or_another_by_then_is_no_error() -> None:
    Calls((404, status('pods "web-1" not found', reason="NotFound"))).evict(REF, uid="u-1")
    said = "Operation cannot be fulfilled: Precondition failed: UID in precondition: u-1, UID in object meta: u-2"
    other = status(said, reason="Conflict")
    Calls((409, other)).evict(REF, uid="u-1")
    with pytest.raises(Conflict):
        Calls((409, status("it changed", reason="Conflict"))).evict(REF)


def test_who_may_not_is_told_what_is_missing() -> None:
    text = 'pods "web-1" is forbidden: User "jane" cannot create resource "pods/eviction" in API group "" in the namespace "shop"'
    with pytest.raises(Denied, match="not allowed to create pods/eviction"):
        Calls((403, status(text, reason="Forbidden"))).evict(REF)


def test_only_an_eviction_of_one_very_pod_is_tried_again_after_an_answer_was_lost() -> None:
    lost = urllib3.exceptions.ProtocolError("Connection aborted")
    calls = Calls(lost, DONE)
    calls.evict(REF, uid="u-1")
    assert len(calls.pool.asked) == 2
    calls = Calls(lost, DONE)
    with pytest.raises(Unreachable):
        calls.evict(REF)
    assert len(calls.pool.asked) == 1


def test_the_pods_of_a_node_are_asked_for_by_that_node() -> None:
    calls = Calls((200, {"items": [{"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}}]}))
    (found,) = calls.pods_on("n1")
    assert (found["apiVersion"], found["kind"], found["metadata"]["name"]) == ("v1", "Pod", "a")
    assert "fieldSelector=spec.nodeName%3Dn1" in calls.pool.asked[0][1]
