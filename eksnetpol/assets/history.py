"""What the manifest of each release of the VPC CNI holds, as data: its variables, flags, rules, volumes and definitions."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import msgspec

from eksnetpol.assets.releases import matrix, with_versions
from eksnetpol.errors import UsageError
from eksnetpol.model.versions import Release

FIRST = Release(1, 14, 0)
"""The first release that has network policy. Nothing is known here of earlier ones."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the data file; a key nobody reads is an error."""


class _Spanned(_Entry, frozen=True, kw_only=True):
    """Something that CNI releases from ``since`` up to, but not including, ``before`` have."""

    since: Release = FIRST
    before: Release | None = None

    def holds(self, release: Release) -> bool:
        """Say whether *release* has it; builds count as their release."""
        return self.since <= release.base and (self.before is None or release.base < self.before)


class Registry(_Entry, frozen=True, kw_only=True):
    """Where AWS keeps the images: the account by region, with the one that most regions share."""

    account: str
    region: str
    domain: str
    accounts: dict[str, str]
    domains: dict[str, str]

    def host(self, region: str = "") -> str:
        """Return the registry's host in *region*, that of the upstream manifest where none is named."""
        region = region or self.region
        domain = self.domains.get(region, self.domain)
        return f"{self.accounts.get(region, self.account)}.dkr.ecr.{region}.{domain}"


class Pull(_Spanned, frozen=True, kw_only=True):
    """A pull policy that is written out."""

    container: str
    policy: str


class Label(_Entry, frozen=True, kw_only=True):
    """A release whose objects say another version of themselves."""

    release: Release
    version: str


class Variable(_Spanned, frozen=True, kw_only=True):
    """A variable of a container: its value, and the one it has in IPv6 clusters where that is another."""

    name: str
    value: str = ""
    ipv6: str | None = None
    is_release: bool = False

    def at(self, release: Release, *, ipv6: bool) -> str:
        """Return its value."""
        if self.is_release:
            return str(release.base)
        return self.ipv6 if ipv6 and self.ipv6 is not None else self.value


class Flag(_Entry, frozen=True, kw_only=True):
    """A flag of the agent. ``agent`` is the first that knows it, ``since`` the first CNI release that gives it."""

    name: str
    key: str
    value: str
    agent: Release
    since: Release
    ipv6: str | None = None
    port: bool = False

    def given(self, value: str) -> str:
        """Return it as it stands among the arguments, with *value* as the configuration says it."""
        return f"--{self.name}={':' if self.port else ''}{value}"


class AgentPort(_Entry, frozen=True, kw_only=True):
    """From which CNI release on the agent's metrics port is declared."""

    since: Release


class Ipamd(_Spanned, frozen=True, kw_only=True):
    """Where ipamd listens, which is what the probes ask."""

    address: str


class Volume(_Spanned, frozen=True, kw_only=True):
    """A folder or file of the host; an empty ``type`` checks nothing."""

    name: str
    path: str
    type: str = ""


class Mount(_Entry, frozen=True, kw_only=True):
    """Where a container sees a volume."""

    container: str
    volume: str
    path: str


class Avoided(_Spanned, frozen=True, kw_only=True):
    """A compute type whose nodes ``aws-node`` does not run on."""

    compute_type: str


class Setting(_Spanned, frozen=True, kw_only=True):
    """A key of ConfigMap ``amazon-vpc-cni``; ``key`` is its key in the add-on's and in the chart's values."""

    name: str
    key: str
    value: str


class Rule(_Spanned, frozen=True, kw_only=True):
    """A rule of ClusterRole ``aws-node``: the agent's where ``agent`` says from which one on.

    ``annotates`` is None for rules that do not depend on it, else whether ``ANNOTATE_POD_IP`` must be set.
    """

    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    verbs: tuple[str, ...]
    annotates: bool | None = None
    agent: Release | None = None
    agent_before: Release | None = None

    def suits(self, agent: Release) -> bool:
        """Say whether *agent* needs it; False for rules that are none of the agent's."""
        if self.agent is None:
            return False
        return self.agent <= agent.base and (self.agent_before is None or agent.base < self.agent_before)


class Definition(_Spanned, frozen=True, kw_only=True):
    """One text of a CustomResourceDefinition. ``shipped`` is False where no manifest of the CNI holds it."""

    name: str
    edition: str
    shipped: bool = True
    agent: Release | None = None


class History(_Entry, frozen=True, kw_only=True):
    """The whole file."""

    never_released: tuple[Release, ...]
    registry: Registry
    repository: dict[str, str]
    pull: tuple[Pull, ...]
    label: tuple[Label, ...]
    variable: tuple[Variable, ...]
    init_variable: tuple[Variable, ...]
    flag: tuple[Flag, ...]
    agent_port: AgentPort
    ipamd: tuple[Ipamd, ...]
    volume: tuple[Volume, ...]
    mount: tuple[Mount, ...]
    avoided: tuple[Avoided, ...]
    setting: tuple[Setting, ...]
    rule: tuple[Rule, ...]
    definition: tuple[Definition, ...]


@lru_cache(maxsize=1)
def history() -> History:
    """Return the history that ships with this release."""
    text = (files("eksnetpol") / "data" / "vpc_cni_history.toml").read_text(encoding="utf-8")
    return msgspec.convert(with_versions(msgspec.toml.decode(text)), History)


def known_releases() -> tuple[Release, ...]:
    """Return the CNI releases whose manifests can be made here, oldest first."""
    return tuple(sorted(m.cni for m in matrix().manifest if m.cni not in history().never_released))


def agent_of(release: Release) -> Release:
    """Return the agent that upstream pairs with a CNI release; for one that is not known, that of the last known before it.

    An add-on build may carry a newer agent, so this says what a release *should* run with, never what a cluster runs. Raises
    `UsageError` for releases before v1.14.0, which have none.
    """
    pairs = [m for m in matrix().manifest if m.cni <= release.base]
    if not pairs:
        raise UsageError(f"VPC CNI {release} has no network policy agent; {FIRST} is the first release that has")
    return max(pairs, key=lambda m: m.cni).agent
