"""The shipped role covers what is ever written, and the names in it are those of real objects."""

from __future__ import annotations

import inspect

import pytest

from eksnetpol.assets.definitions import definitions
from eksnetpol.assets.history import known_releases
from eksnetpol.assets.manifests import Install, vpc_cni_objects
from eksnetpol.gateways import change_permits as permitted
from eksnetpol.gateways.hands import RealHands
from eksnetpol.gateways.permits import CHANGING, permissions_for
from eksnetpol.interfaces.acting import Hands
from eksnetpol.model import kinds
from eksnetpol.model.kinds import ObjectRef


@pytest.mark.parametrize("release", known_releases(), ids=str)
def test_every_object_of_every_release_may_be_written(release: object) -> None:
    needed = permissions_for(*CHANGING).rbac
    objects = vpc_cni_objects(Install(release=release, network_policy=True))  # type: ignore[arg-type]
    assert len(objects) > 4
    for found in objects:
        ref = ObjectRef.of(found)
        kind = ref.of_kind
        for verb in ("get", "patch", "watch"):
            assert [
                p
                for p in needed
                if (p.verb, p.resource, p.group) == (verb, kind.plural, kind.group)
                and ref.name in (p.names or (ref.name,))
                and p.namespace in {"", ref.namespace}
            ], f"{verb} {ref}"


def test_every_definition_that_is_known_is_named() -> None:
    assert {d.name for d in definitions()} <= set(permitted.DEFINITIONS)


def test_real_hands_have_every_verb_in_the_same_words() -> None:
    for name, verb in inspect.getmembers(Hands, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(RealHands, name)) == inspect.signature(verb), name


def test_policies_are_written_in_every_namespace_and_all_else_in_one() -> None:
    for permission in permissions_for(*CHANGING).rbac:
        kind = next((k for k in kinds.KINDS if (k.plural, k.group) == (permission.resource, permission.group)), None)
        if kind is not None and kind.namespaced and permission.verb in {"create", "patch", "update", "delete", "watch"}:
            everywhere = kind in (*permitted.POLICIES, *permitted.ENDPOINTS)
            assert permission.namespace == ("" if everywhere else "kube-system"), permission
