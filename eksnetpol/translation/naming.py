"""Objects with names that stay: by source policy and namespace, so that a translation made again replaces what it made before."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from eksnetpol.model.findings import Subject
from eksnetpol.policy.world import World
from eksnetpol.translation.values import Options, Output

MANAGED_BY = {"app.kubernetes.io/managed-by": "eksnetpol"}
ORIGIN, DIGEST = "eksnetpol.io/origin", "eksnetpol.io/source-digest"

_LONGEST = 63
_NOT_DNS = re.compile(r"[^a-z0-9]+")


class Said(Protocol):
    """What one object will say."""

    @property
    def owner(self) -> Subject:
        """The source policy it speaks for."""

    @property
    def namespace(self) -> str:
        """Where it will be."""

    @property
    def origins(self) -> tuple[Subject, ...]:
        """All source policies that had a say."""

    @property
    def spec(self) -> dict[str, Any]:
        """What it says."""


def outputs(specs: Iterable[Said], options: Options, world: World) -> tuple[Output, ...]:
    """Return an object for each spec, by namespace and name; none has the name of a NetworkPolicy that is there."""
    numbered: defaultdict[tuple[Subject, str], list[Said]] = defaultdict(list)
    for spec in specs:
        numbered[spec.owner, spec.namespace].append(spec)
    taken = {(p.namespace, p.name) for p in world.network_policies if not is_ours(p.metadata.labels)}
    found = []
    for (owner, namespace), many in numbered.items():
        for number, spec in enumerate(many, start=1):
            name = _free_name(owner, namespace, number if len(many) > 1 else 0, taken)
            taken.add((namespace, name))
            found.append(Output(_manifest(name, spec, options), spec.origins))
    return tuple(sorted(found, key=lambda o: (o.ref.namespace, o.ref.name)))


def is_ours(labels: dict[str, str]) -> bool:
    """Say whether an object with these *labels* is one that this tool wrote."""
    return MANAGED_BY.items() <= labels.items()


def _free_name(owner: Subject, namespace: str, number: int, taken: set[tuple[str, str]]) -> str:
    salt = 0
    while True:
        name = name_of(owner, namespace, number, salt)
        if (namespace, name) not in taken:
            return name
        salt += 1


def name_of(owner: Subject, namespace: str, number: int = 0, salt: int = 0) -> str:
    """Return ``<name>[-n]-<hash>`` of a source policy's object in *namespace*: a DNS label of at most 63 characters.

    The hash is of what the source is called, not of what it says. Names with dots or of any length become DNS labels.
    """
    whole = f"{owner.kind}/{owner.namespace}/{owner.name}\0{namespace}" + (f"\0{salt}" if salt else "")
    end = f"-{number}" * bool(number) + f"-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    plain = _NOT_DNS.sub("-", owner.name.lower()).strip("-") or "policy"
    return plain[: _LONGEST - len(end)].rstrip("-") + end


def origin_of(owner: Subject) -> str:
    """Return what the annotation says of the policy that an object was made from."""
    return "/".join(part for part in (owner.kind, owner.namespace, owner.name) if part)


def digest_of(said: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of JSON, whatever the order of its keys."""
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:16]


def _manifest(name: str, spec: Said, options: Options) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": spec.namespace,
            "labels": dict(MANAGED_BY),
            "annotations": {
                ORIGIN: origin_of(spec.owner),
                DIGEST: options.digests.get(spec.owner) or digest_of(spec.spec),
            },
        },
        "spec": spec.spec,
    }
