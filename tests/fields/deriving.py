"""Works out `eksnetpol/data/structure.json` from what a real API server says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eksnetpol.fields.schema import empty, table, type_name
from eksnetpol.model.kinds import BUILT_IN, Kind
from tests.testbed.cluster import ControlPlane

SHIPPED = Path(__file__).parent.parent.parent / "eksnetpol" / "data" / "structure.json"


def derived(plane: ControlPlane) -> dict[str, Any]:
    """Return the table for the API server's own kinds."""
    models: dict[str, Any] = {}
    roots: dict[str, str] = {}
    kinds: dict[str, Any] = {}
    for kind in BUILT_IN:
        said = json.loads(plane.did("get", "--raw", f"/openapi/v3/{_group(kind)}"))
        models |= said["components"]["schemas"]
        full = next(name for name in said["components"]["schemas"] if _is(kind, name))
        roots[f"{kind.api_version}/{kind.name}"] = full
        status = any(path.endswith(f"/{kind.plural}/{{name}}/status") for path in said["paths"])
        nothing = empty(full, models)
        kinds[f"{kind.api_version}/{kind.name}"] = {"type": type_name(full), "status": status, "empty": nothing}
    return {"kinds": dict(sorted(kinds.items())), "types": table(models, roots)}


def written(found: dict[str, Any]) -> str:
    """Return the table as it is kept: a line for each kind and each type."""
    parts = []
    for part in ("kinds", "types"):
        lines = (f"    {json.dumps(name)}: {json.dumps(value, sort_keys=True)}" for name, value in found[part].items())
        parts.append(f"  {json.dumps(part)}: {{\n" + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _group(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _is(kind: Kind, full: str) -> bool:
    # io.k8s.api.apps.v1.DaemonSet, io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition
    return full.endswith(f".{kind.group.partition('.')[0] or 'core'}.{kind.version}.{kind.name}")
