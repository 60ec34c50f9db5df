"""A translation as files, ready for review in Git: one per object, and a kustomization that names them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from eksnetpol.translation.values import Translation

KUSTOMIZATION = "kustomization.yaml"
_ENDLESS = 2**31 - 1


# libyaml's where PyYAML was built with it: a third of the time. Every value is written out where it stands, without anchors.
_Dumper: type[yaml.SafeDumper] = type(
    "_Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {"ignore_aliases": lambda _self, _data: True}
)


def files(translation: Translation) -> Mapping[str, str]:
    """Return paths, relative and with ``/``, with their YAML; the same translation gives the same files, to the byte."""
    found = {f"{_folder(o.ref.namespace)}/{o.ref.name}.yaml": dumped(o.manifest) for o in translation.outputs}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(found),
    }
    return {KUSTOMIZATION: dumped(kustomization)} | dict(sorted(found.items()))


def _folder(namespace: str) -> str:
    return namespace or "cluster"


def dumped(value: Mapping[str, Any]) -> str:
    """Return one YAML document, its keys in the order they are in."""
    return yaml.dump(dict(value), Dumper=_Dumper, sort_keys=False, width=_ENDLESS, allow_unicode=False)
