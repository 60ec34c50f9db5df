"""From a stack to policies and verdicts: what is said for the whole cluster, then each namespace, direction by direction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from eksnetpol.model.findings import Subject
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import TooMany
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from eksnetpol.translation.boxes import Box
from eksnetpol.translation.cluster_choice import Choosing
from eksnetpol.translation.cluster_objects import cluster_outputs, cut_off, notes, others
from eksnetpol.translation.cluster_rules import Wording
from eksnetpol.translation.cluster_steps import Placed
from eksnetpol.translation.comparing import after
from eksnetpol.translation.drafting import Drafting
from eksnetpol.translation.effort import Effort, shares
from eksnetpol.translation.folding import Folding
from eksnetpol.translation.ground import Ground, Inventory
from eksnetpol.translation.guards import Guards
from eksnetpol.translation.judging import judge
from eksnetpol.translation.kept import kept_policies, true_of_today, widened
from eksnetpol.translation.names import Names
from eksnetpol.translation.naming import outputs
from eksnetpol.translation.peers import Json, Peers
from eksnetpol.translation.regions import Ledger, Ledgers, Regions
from eksnetpol.translation.services import Services
from eksnetpol.translation.values import Options, Output, Tell, Translation, silent
from eksnetpol.translation.vpc import survey


@dataclass(frozen=True, slots=True)
class Spec:
    """What one object will say: pods of *namespace*, in the name of *owner*."""

    owner: Subject
    namespace: str
    origins: tuple[Subject, ...]
    spec: Json


@dataclass
class _Translator:
    stack: Stack
    world: World
    options: Options
    ledgers: Ledgers = field(default_factory=lambda: Ledgers(Ledger))
    failed: dict[Subject, dict[str, None]] = field(default_factory=dict)
    """Policies that did not fit the limits, with the reasons."""
    banned: frozenset[int] = frozenset()
    """Numbers of rules that are not to be said for the whole cluster."""
    placed: tuple[Placed, ...] = ()
    """Rules that are said for the whole cluster."""

    def __post_init__(self) -> None:
        self.version = 6 if self.options.profile.family == "ipv6" else 4
        self.inventory = Inventory(self.world, survey(self.world, self.options.vpc, self.version))
        self.effort = Effort()
        self.peers = Peers(self.inventory, self.options.clauses, self.effort)
        self.services = Services(self.inventory, self.version)
        self.guards = Guards(self.services)
        self.names = Names(self.inventory)
        self.kept = kept_policies(self.stack, self.world, self.options)
        self.kept_refs = frozenset(p.ref for t in self.stack.tiers for p in t.policies if id(p) in self.kept)
        if self.options.cluster_policies and not others(self.world):
            self._say_for_the_cluster()
        self.regions = Regions(self.stack, self.options, self.ledgers)
        self.regions.note_today(self.kept)
        for ref, words in true_of_today(self.stack, self.kept, self.inventory.addresses):
            self.ledgers[ref].now[words] = None

    def _say_for_the_cluster(self) -> None:
        wording = Wording(self.inventory, self.peers, self.version, self.options.clauses)
        namespaced = Regions(self.stack, self.options, self.ledgers).namespaced
        choice = Choosing(self.stack, wording, self.kept, namespaced, set(self.banned)).choose()
        self.stack, self.placed = choice.left, choice.placed
        for one in choice.placed:
            ledger = self.ledgers[one.step.ref]
            ledger.reached = ledger.written = True
            ledger.for_cluster = one.step.ref in choice.refs
            for reasons in (one.step.policy.today, one.step.rule.today, *(rule.now for rule in one.rules)):
                ledger.now |= dict.fromkeys(reasons)

    def specs(self, tell: Tell) -> Iterator[Spec]:
        namespaces = sorted({*self.inventory.namespaces, *self.regions.names()})
        rules = sum(len(policy.rules) for tier in self.stack.tiers for policy in tier.policies)
        for shared in shares(rules, len(namespaces), self.effort):
            tell("translating namespaces", shared, len(namespaces))
            yield from self._namespace(Ground(self.inventory, namespaces[shared]))

    def _namespace(self, ground: Ground) -> Iterator[Spec]:
        held = self.regions.held(ground)
        if not any(held):
            return
        drafting = Drafting(
            ground.namespace,
            self.peers,
            self.services,
            self.guards,
            self.names,
            self.ledgers,
            self.version,
            self.kept,
            self.options.clauses,
            self.effort,
        )
        otherwise = [tier.otherwise for tier in self.stack.tiers]
        try:
            for direction in Direction:
                tiers = self.regions.tiers(held, direction, ground)
                folding = Folding(self.options.boxes, self.effort)
                boxes = folding.boxes(tiers)
                self._write_down(folding, boxes)
                isolations = drafting.isolations(held, direction, otherwise)
                drafting.write(boxes, isolations, direction, self.kept_refs)
                for ref, words, masks in widened(tiers, boxes, self.kept_refs, self.effort):
                    self.ledgers[ref].looser[words] = None
                    self.ledgers[ref].masked_by += masks
            found = list(drafting.specs(self.options.clauses))
        except TooMany as error:
            for one in chain.from_iterable(held):
                self.failed.setdefault(one.policy.ref, {})[f"nothing is written for namespace {ground.namespace}: {error}"] = None
            return
        for draft, spec in found:
            yield Spec(draft.owner, ground.namespace, tuple(draft.origins), spec)

    def _write_down(self, folding: Folding, boxes: Iterable[Box]) -> None:
        for ref, reasons in folding.lost.items():
            self.ledgers[ref].lost |= reasons
        for box in boxes:
            if box.origin is not None and box.origin[0] in self.kept_refs:
                self.ledgers[box.origin].written = True


_PLAIN = Options()


def translate(stack: Stack, world: World, options: Options = _PLAIN, tell: Tell = silent) -> Translation:
    """Return NetworkPolicies that let through what *stack* does in *world*, and never more, with a verdict on every rule.

    NetworkPolicies of *world* that are in the stack stay as they are, and are judged too. With ``options.cluster_policies`` some
    rules are said in ClusterNetworkPolicies instead. *tell* is told how it proceeds.
    """
    banned: set[int] = set()
    while True:
        translator = _Translator(stack, world, options, banned=frozenset(banned))
        made: tuple[Output, ...] = outputs(list(translator.specs(tell)), options, world)
        unasked = cut_off(translator.placed, after(world, made).network_policies)
        if not unasked:
            break
        banned |= unasked
    made = (*cluster_outputs(translator.placed, options, world), *made)
    if options.compare:
        tell("comparing before and after", 0, 0)
    said = notes(translator.placed, options, world)
    return judge(stack, world, options, translator.ledgers, translator.failed, translator.kept, made, said)
