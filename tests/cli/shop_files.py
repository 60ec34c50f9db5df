"""The shop as files: manifests as somebody would keep them, and a snapshot of the same with addresses."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from eksnetpol.gateways import snapshot_file
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.policy.world import World
from tests.cli.conftest import LOOKED
from tests.policy import shop

WORKLOADS = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: bank}
""" + "".join(
    f"""\
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: app
        image: example.com/{name}:1.0
        ports: [{{name: http, containerPort: {port}}}]
"""
    for namespace, name, port in (("shop", "web", 8080), ("shop", "api", 8080), ("shop", "db", 5432), ("bank", "web", 80))
)

POLICIES = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: api
  namespace: shop
spec:
  podSelector: {matchLabels: {app: api}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: web}}
    ports:
    - port: http
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
  namespace: shop
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: api}}
    ports:
    - port: 5432
  - from:
    - ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.128/25]}
"""

CHANGED = POLICIES.replace("    - podSelector: {matchLabels: {app: web}}\n", "    - podSelector: {}\n").replace("5432", "5433")
"""The api is opened to the whole shop, and the port of the db is another."""


@pytest.fixture
def k8s(quiet_place: Path) -> str:
    """The folder of manifests, ``k8s``, in the place where commands are run."""
    return str(write(quiet_place / "k8s").relative_to(quiet_place))


def write(folder: Path, policies: str = POLICIES) -> Path:
    """Write the manifests into *folder*, with *policies*."""
    folder.mkdir()
    (folder / "apps.yaml").write_text(WORKLOADS, encoding="utf-8")
    (folder / "policies.yaml").write_text(policies, encoding="utf-8")
    return folder


@pytest.fixture
def saved_shop(quiet_place: Path) -> str:
    """The file of a snapshot of the shop, in which pods have addresses."""
    snapshot_file.save(snapshot_of(shop.world()), quiet_place / "shop.json.gz")
    return "shop.json.gz"


def snapshot_of(world: World) -> ClusterSnapshot:
    """Return a snapshot that holds *world*."""
    sections = {f.name: getattr(world, f.name) for f in fields(World) if f.name in ClusterSnapshot.__struct_fields__}
    plain: dict[str, Any] = {name: Seen(value) for name, value in sections.items() if isinstance(value, tuple)}
    return ClusterSnapshot(taken_at=LOOKED, **plain)
