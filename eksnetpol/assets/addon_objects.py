"""What EKS is expected to write for the managed add-on ``vpc-cni``: a forecast, made from the release's upstream manifest.

What EKS really writes is not published; that it follows the manifest, with the configuration values put where the chart of the
same name puts them, is inferred from clusters seen. So `UNTOLD` fields are not to be relied on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from eksnetpol.assets.addon_settings import Settings
from eksnetpol.assets.history import agent_of, history
from eksnetpol.assets.manifests import AGENT, Install, objects
from eksnetpol.assets.rendering import rendered
from eksnetpol.model.kinds import Json
from eksnetpol.model.versions import Release

MANAGER = "eks"
"""The field manager that EKS applies an add-on's objects as."""

UNTOLD: tuple[str, ...] = (f'.spec.template.spec.containers[name="{AGENT}"].image',)
"""Fields of the DaemonSet that cannot be forecast: an add-on build carries the agent it likes, by a build number of its own."""


def managed_objects(
    release: Release,
    values: Mapping[str, Any],
    *,
    family: Literal["ipv4", "ipv6"] = "ipv4",
    registry: str = "",
    role: str = "",
) -> tuple[Json, ...]:
    """Return what EKS is expected to write for add-on version *release*, e.g. ``v1.21.1-eksbuild.7``, with these *values*.

    *registry* is the host its images come from (`images.registry_of`), *role* the ARN of the service account's role. A setting
    that this tool does not know is left out, and a release that it does not know is taken to be like the last before it: the
    real add-on may know better. Raises `UsageError` for a release before v1.14.0.
    """
    settings = Settings(values)
    agent = agent_of(release)
    build = Release(agent.major, agent.minor, agent.patch, build=1) if release.build is not None else agent
    install = Install(
        release=release,
        images={AGENT: f"{registry or history().registry.host()}/{history().repository[AGENT]}:{build}"},
        registry=registry,
        family=family,
        values=values,
        role=role,
    )
    return (*objects(install), *_eni_configs(settings))


def _eni_configs(settings: Settings) -> list[Json]:
    """Return an ENIConfig for each zone, where they are asked for. A zone may be named whole or by what follows its region."""
    if settings.text("eniConfig.create", "false") != "true":
        return []
    region = settings.text("eniConfig.region", "")
    zones = settings.get("eniConfig.subnets")
    return [
        rendered(
            "vpc-cni/eni-config.yaml.j2",
            name=zone if zone.startswith(region) else f"{region}{zone}",
            subnet=subnet["id"],
            security_groups=subnet.get("securityGroups", []),
        )
        for zone, subnet in (zones.items() if isinstance(zones, Mapping) else ())
        if isinstance(subnet, Mapping) and "id" in subnet
    ]
