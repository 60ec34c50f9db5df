"""The smallest objects that bring the agent: what they name, and which rules are missing."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.assets.enabling import agent_daemonset, agent_role, controller_switch, enforcing_mode, missing_rules
from eksnetpol.assets.manifests import AGENT, CNI, Install, agent_rules
from eksnetpol.model.versions import Release
from tests.assets.upstream import RELEASES, container, of_kind, upstream

V = Release.parse
Json = dict[str, Any]


@pytest.mark.parametrize("release", RELEASES, ids=str)
def test_only_the_agent_s_part_is_named(release: Release) -> None:
    live = of_kind(upstream(release), "DaemonSet")
    part = agent_daemonset(Install(release=release))
    spec = part["spec"]["template"]["spec"]
    assert set(part["spec"]) == {"template"}
    assert set(spec) == {"containers", "volumes"}
    assert container(part, AGENT) == container(live, AGENT)
    others = [c for c in spec["containers"] if c["name"] != AGENT]
    mode = {"name": "NETWORK_POLICY_ENFORCING_MODE", "value": "standard"}
    has_mode = mode in container(live, CNI)["env"]
    assert others == ([{"name": CNI, "env": [mode]}] if has_mode else [])
    assert has_mode == (release >= V("1.17.1"))


def test_a_mode_that_was_set_stays() -> None:
    assert enforcing_mode(Install(release=V("1.23.0"), values={"env.NETWORK_POLICY_ENFORCING_MODE": "strict"})) == "strict"


def test_the_switch_names_one_key() -> None:
    assert controller_switch(on=True)["data"] == {"enable-network-policy-controller": "true"}
    assert controller_switch(on=False)["data"] == {"enable-network-policy-controller": "false"}


@pytest.mark.parametrize("release", RELEASES, ids=str)
def test_a_release_lacks_no_rule_for_its_own_agent(release: Release) -> None:
    rules = of_kind(upstream(release), "ClusterRole")["rules"]
    assert agent_role(rules, Install(release=release).agent_release) is None
    own = [r for r in rules if "networking.k8s.aws" not in str(r)]
    made = agent_role(own, Install(release=release).agent_release)
    assert made is not None
    assert made["rules"] == [*own, *agent_rules(Install(release=release).agent_release)]


def test_an_old_role_lacks_the_rules_for_cluster_policies() -> None:
    rules = of_kind(upstream(V("1.20.5")), "ClusterRole")["rules"]
    resources = [r.get("resources", r.get("nonResourceURLs")) for r in missing_rules(rules, agent_rules(V("1.4.1")))]
    assert resources == [
        ["policyendpoints", "clusterpolicyendpoints"],
        ["policyendpoints/status", "clusterpolicyendpoints/status"],
        ["/apis/networking.k8s.aws", "/apis/networking.k8s.aws/*"],
    ]


# --- against an obvious oracle ------------------------------------------------------------------------------------------------

words = st.sampled_from
GROUPS, RESOURCES, VERBS = ["", "networking.k8s.aws"], ["policyendpoints", "policyendpoints/status", "pods"], ["get", "list"]
URLS = ["/apis/networking.k8s.aws", "/apis/networking.k8s.aws/*", "/version"]


def some(of: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(words(of), min_size=1, max_size=2, unique=True)


def rules(*, wild: bool) -> st.SearchStrategy[Json]:
    star = ["*"] if wild else []
    resources = st.fixed_dictionaries(
        {
            "apiGroups": some([*GROUPS, *star]),
            "resources": some([*RESOURCES, *star, *(["*/status"] if wild else [])]),
            "verbs": some([*VERBS, *star]),
        },
        optional={"resourceNames": st.just(["one"])} if wild else {},
    )
    urls = st.fixed_dictionaries(
        {"nonResourceURLs": some([*URLS, *(["*", "/apis/*"] if wild else [])]), "verbs": some([*VERBS, *star])}
    )
    return resources | urls


def granted(rule: Json) -> set[tuple[str, ...]]:
    """Everything of this small world that a rule grants, written out."""
    if rule.get("resourceNames"):
        return set()
    verbs = [v for v in VERBS if {v, "*"} & set(rule["verbs"])]
    if "nonResourceURLs" in rule:
        urls = rule["nonResourceURLs"]
        reached = [u for u in URLS if u in urls or "*" in urls or ("/apis/*" in urls and u.startswith("/apis/"))]
        reached += [u for u in URLS if "/apis/networking.k8s.aws/*" in urls and u.startswith("/apis/networking.k8s.aws/")]
        return set(product(reached, verbs))
    groups = [g for g in GROUPS if {g, "*"} & set(rule["apiGroups"])]
    wanted = set(rule["resources"])
    resources = [r for r in RESOURCES if {r, "*"} & wanted or ("*/status" in wanted and r.endswith("/status"))]
    return set(product(groups, resources, verbs))


@given(st.lists(rules(wild=True), max_size=4), st.lists(rules(wild=False), max_size=3))
def test_exactly_the_rules_that_are_not_granted_in_full_are_missing(live: list[Json], needed: list[Json]) -> None:
    have = set().union(*map(granted, live))
    assert list(missing_rules(live, needed)) == [rule for rule in needed if not granted(rule) <= have]
