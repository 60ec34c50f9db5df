"""One policy of Cilium's, as what it denies and what it allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from eksnetpol.engines.cilium import ports
from eksnetpol.engines.cilium.faults import by_parser, by_schema
from eksnetpol.engines.cilium.peers import Peers
from eksnetpol.engines.cilium.shapes import EgressRule, IngressRule, Rule, Spec
from eksnetpol.model.findings import Subject
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.formulas import EVERYBODY, NOBODY, EndKind, Formula, Is
from eksnetpol.policy.stacks.rules import Does, StackPolicy, StackRule

_MODES = {"disabled", "required", "test-always-fail"}
_HOSTS = Is(frozenset({EndKind.NODE}))


class Halves(NamedTuple):
    """What a policy denies, None for nothing; what it allows, with the directions in which it isolates."""

    denying: StackPolicy | None
    allowing: StackPolicy
    is_for_nodes: bool


def halves(ref: Subject, spec: Spec, place: str, peers: Peers, labels: dict[str, str]) -> Halves:
    """Return the policy *spec* of the object *ref*. Raises `RefusedError` and `UnclearError`."""
    sections: Mapping[tuple[Direction, Does], tuple[str, Sequence[Rule] | UnsetType]] = {
        (Direction.INGRESS, Does.ALLOW): ("ingress", spec.ingress),
        (Direction.INGRESS, Does.DENY): ("ingressDeny", spec.ingress_deny),
        (Direction.EGRESS, Does.ALLOW): ("egress", spec.egress),
        (Direction.EGRESS, Does.DENY): ("egressDeny", spec.egress_deny),
    }
    subject, with_init = _subject(ref, spec, place, peers)
    if not any(rules for _, rules in sections.values()):
        raise by_parser("one of ingress, ingressDeny, egress and egressDeny must hold a rule", place)
    found: dict[Does, list[StackRule]] = {Does.ALLOW: [], Does.DENY: []}
    filled: set[Direction] = set()
    for (direction, does), (name, rules) in sections.items():
        for number, rule in enumerate([] if rules is UNSET else rules):
            filled.add(direction)
            here = f"{place}.{name}[{number}]"
            found[does] += _rules(rule, direction, does, here, peers, with_init=with_init)
    said = {Direction.INGRESS: spec.enable_default_deny.ingress, Direction.EGRESS: spec.enable_default_deny.egress}
    isolates = frozenset(direction for direction in filled if said[direction] is not False)
    denied = tuple(found[Does.DENY])
    allowed = sorted(found[Does.ALLOW], key=lambda rule: not rule.judged_further)
    is_for_nodes = spec.node_selector is not UNSET
    if is_for_nodes and any(rule.judged_further and rule.judged_further != _AUTHENTICATION for rule in allowed):
        raise by_parser("policies for nodes take no rules beyond ports", place)
    return Halves(
        StackPolicy(ref, subject, frozenset(), denied, labels) if denied else None,
        StackPolicy(ref, subject, isolates, tuple(allowed), labels),
        is_for_nodes,
    )


def _subject(ref: Subject, spec: Spec, place: str, peers: Peers) -> tuple[Formula, bool]:
    if spec.endpoint_selector is UNSET and spec.node_selector is UNSET:
        raise by_parser("it needs an endpointSelector or a nodeSelector", place)
    if spec.node_selector is not UNSET:
        if spec.endpoint_selector is not UNSET:
            raise by_parser("it has both an endpointSelector and a nodeSelector", place)
        if ref.namespace:
            raise by_parser("a policy of a namespace cannot have a nodeSelector", f"{place}.nodeSelector")
        peers.selectors.peer(spec.node_selector, f"{place}.nodeSelector", with_init=False)
        return _HOSTS, False
    assert spec.endpoint_selector is not UNSET  # noqa: S101 - one of the two is there
    return peers.selectors.subject(spec.endpoint_selector, f"{place}.endpointSelector")


_AUTHENTICATION = ("authentication",)


def _rules(rule: Rule, direction: Direction, does: Does, place: str, peers: Peers, *, with_init: bool) -> Iterator[StackRule]:
    """Yield what one rule means. One that names neither peers nor ports means nobody, and isolates all the same."""
    whom = peers.of(rule, place, with_init=with_init)
    said = ports.spoken(rule, direction, peers.identities.settings, place)
    further = _authentication(rule, place)
    today = tuple(dict.fromkeys(peers.looked_up(rule, place)))
    if whom is None and said is not None:
        whom = EVERYBODY
    for one in _together(ports.ALL if said is None else said or ports.NONE):
        yield StackRule(
            direction,
            does,
            peer=NOBODY if whom is None else whom,
            connections=one.connections,
            names=one.names,
            judged_further=(*one.judged_further, *further),
            place=place,
            today=today,
        )


def _together(said: Iterable[ports.Spoken]) -> Iterator[ports.Spoken]:
    """Yield what a rule speaks of with what is judged alike said once."""
    alike: dict[tuple[str, ...], ports.Spoken] = {}
    for one in said:
        known = alike.get(one.judged_further)
        if known is None:
            alike[one.judged_further] = one
        else:
            names = tuple(dict.fromkeys((*known.names, *one.names)))
            alike[one.judged_further] = ports.Spoken(known.connections | one.connections, names, one.judged_further)
    yield from alike.values()


def _authentication(rule: Rule, place: str) -> tuple[str, ...]:
    if not isinstance(rule, IngressRule | EgressRule) or rule.authentication is UNSET:
        return ()
    if rule.authentication.mode not in _MODES:
        raise by_schema(f"{rule.authentication.mode!r} is no mode of authentication", f"{place}.authentication.mode")
    return () if rule.authentication.mode == "disabled" else _AUTHENTICATION
