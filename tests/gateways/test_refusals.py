"""The real API server refuses what is malformed for exactly the fields that are named here, strict about CIDRs or not."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eksnetpol.policy.validation import STRICT_CIDRS, flaws
from tests.policy.refused import REFUSED, TAKEN
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane

pytestmark = pytest.mark.testbed

DATA = Path(__file__).parent.parent / "data" / "crds"
_UNKNOWN = re.compile(r'unknown field "([^"]*)"')
_TYPE = re.compile(r"into Go struct field [A-Za-z]+\.(\S+) of type")


@pytest.fixture(scope="module", params=["before", "since"])
def asked(
    request: pytest.FixtureRequest, programs: Components, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ControlPlane, bool]]:
    """An API server that knows all kinds, and whether it looks at CIDRs as those since 1.36 do."""
    strict = request.param == "since"
    gate = f"--feature-gates=StrictIPCIDRValidation={str(strict).lower()}"
    plane = ControlPlane.start(tmp_path_factory.mktemp("plane"), programs=programs, flags=(gate,))
    try:
        groups = ("networking.k8s.aws", "policy.networking.k8s.io")
        plane.apply(*(path for group in groups for path in sorted((DATA / group).glob("*networkpolicies.yaml"))))
        plane.did("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield plane, strict
    finally:
        plane.stop()


def answer(plane: ControlPlane, policy: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return status and body of creating *policy*, of which nothing remains."""
    kind = policy["kind"].lower()
    within = "" if kind == "clusternetworkpolicy" else "/namespaces/default"
    url = f"{plane.url}/apis/{policy['apiVersion']}{within}/{kind[:-1]}ies?dryRun=All&fieldValidation=Strict"
    headers = {"Authorization": f"Bearer {plane.token()}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(policy).encode(), headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cadata=plane.ca_pem)) as found:  # noqa: S310 - as above
            return found.status, json.load(found)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def refused(status: int, body: dict[str, Any]) -> tuple[set[str], bool]:
    """Return the fields an answer names, and whether it gives them without the numbers of elements."""
    if status == 422:
        fields = {cause["field"] for cause in body["details"]["causes"]}
        return fields - {"<nil>"}, False
    assert status == 400, body
    decoded = _TYPE.findall(body["message"])
    return set(decoded or _UNKNOWN.findall(body["message"])), bool(decoded)


def test_the_server_names_the_same_fields(asked: tuple[ControlPlane, bool]) -> None:
    plane, strict = asked
    wrong: dict[str, Any] = {}
    for name, case in REFUSED.items():
        group, kind = case.policy["apiVersion"].partition("/")[0], case.policy["kind"]
        found = {flaw.field for flaw in flaws(group, kind, case.policy, STRICT_CIDRS if strict else None)}
        status, body = answer(plane, case.policy)
        if status == 201:
            theirs, unnumbered = set[str](), False
        else:
            theirs, unnumbered = refused(status, body)
        ours = {re.sub(r"\[\d+\]", "", field) for field in found} if unnumbered else found
        if theirs != ours or found != case.by(strict=strict):
            wrong[name] = (theirs, ours, body.get("message", "taken"))
    assert wrong == {}


def test_the_server_takes_what_passes(asked: tuple[ControlPlane, bool]) -> None:
    answers = {name: answer(asked[0], policy) for name, policy in TAKEN.items()}
    assert {name: body["message"] for name, (status, body) in answers.items() if status != 201} == {}
