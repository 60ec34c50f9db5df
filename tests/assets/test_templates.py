"""Every template is used, says what it wants, and fails when that is not given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from eksnetpol.assets import rendering
from eksnetpol.assets.addon_objects import managed_objects
from eksnetpol.assets.locate import root
from eksnetpol.assets.manifests import Install, definition, vpc_cni_objects
from eksnetpol.model.versions import Release

FOLDER = Path(str(root("templates")))
TEMPLATES = {str(p.relative_to(FOLDER)) for part in ("vpc-cni", "crds") for p in (FOLDER / part).rglob("*") if p.is_file()}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The names of the templates that were read meanwhile."""
    names: set[str] = set()
    source = rendering.source

    def recorded(name: str) -> str:
        names.add(name)
        return source(name)

    monkeypatch.setattr(rendering, "source", recorded)
    rendering.environment.cache_clear()
    yield names
    rendering.environment.cache_clear()


def test_every_template_is_rendered(read: set[str]) -> None:
    zones = {"eniConfig": {"create": True, "region": "us-west-2", "subnets": {"us-west-2a": {"id": "subnet-1"}}}}
    managed_objects(Release.parse("v1.21.1-eksbuild.7"), zones)
    vpc_cni_objects(Install(release=Release.parse("1.14.0")))
    # Definitions are kept once they are made, so these may have been read before.
    for name in ("eniconfigs.crd.k8s.amazonaws.com", "policyendpoints.networking.k8s.aws"):
        rendering.rendered(f"crds/{name.partition('.')[0]}.yaml.j2", edition="current", generator="v0", labelled=False)
    for plural in ("policyendpoints", "clusterpolicyendpoints", "applicationnetworkpolicies", "clusternetworkpolicies"):
        made = rendering.rendered(f"crds/{plural}.yaml.j2", edition="current", generator="v0.17.0", labelled=False)
        assert definition(f"{plural}.networking.k8s.aws") == made
    assert read == TEMPLATES


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_begins_with_what_it_is_and_its_variables(name: str) -> None:
    assert re.match(r"\{# [A-Z].*?\bvariables?\b.*?#\}", (FOLDER / name).read_text(), flags=re.DOTALL | re.IGNORECASE)


def test_a_variable_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'role' is undefined"):
        rendering.rendered("vpc-cni/service-account.yaml.j2", version="v1.23.0")
