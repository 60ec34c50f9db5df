"""From a stack to NetworkPolicies and verdicts: namespace by namespace, direction by direction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from eksnetpol.model.findings import Subject
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.stacks.algebra import TooMany
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from eksnetpol.translation.boxes import Box, Folding, TooManyBoxes
from eksnetpol.translation.drafting import Drafting
from eksnetpol.translation.ground import Ground, Inventory
from eksnetpol.translation.judging import judge
from eksnetpol.translation.kept import kept_policies, widened
from eksnetpol.translation.names import Names
from eksnetpol.translation.naming import outputs
from eksnetpol.translation.peers import Json, Peers
from eksnetpol.translation.regions import Ledger, Ledgers, Regions
from eksnetpol.translation.services import Services
from eksnetpol.translation.values import Options, Output, Translation
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

    def __post_init__(self) -> None:
        self.version = 6 if self.options.profile.family == "ipv6" else 4
        self.inventory = Inventory(self.world, survey(self.world, self.options.vpc, self.version))
        self.regions = Regions(self.stack, self.options, self.ledgers)
        self.regions.note_today()
        self.peers = Peers(self.inventory, self.options.clauses)
        self.services = Services(self.inventory, self.version)
        self.names = Names(self.inventory)
        self.kept = kept_policies(self.stack, self.world, self.options)
        self.kept_refs = frozenset(p.ref for t in self.stack.tiers for p in t.policies if id(p) in self.kept)

    def specs(self) -> Iterator[Spec]:
        for namespace in sorted({*self.inventory.namespaces, *self.regions.names()}):
            yield from self._namespace(Ground(self.inventory, namespace))

    def _namespace(self, ground: Ground) -> Iterator[Spec]:
        held = self.regions.held(ground)
        if not any(held):
            return
        drafting = Drafting(ground.namespace, self.peers, self.services, self.names, self.ledgers, self.version, self.kept)
        otherwise = [tier.otherwise for tier in self.stack.tiers]
        try:
            for direction in Direction:
                tiers = self.regions.tiers(held, direction, ground)
                folding = Folding(self.options.boxes)
                boxes = folding.boxes(tiers)
                self._write_down(folding, boxes)
                isolations = drafting.isolations(held, direction, otherwise)
                drafting.write(boxes, isolations, direction, self.kept_refs)
                for ref, words, masks in widened(tiers, boxes, self.kept_refs):
                    self.ledgers[ref].looser[words] = None
                    self.ledgers[ref].masked_by += masks
            found = list(drafting.specs(self.options.clauses))
        except (TooMany, TooManyBoxes) as error:
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


def translate(stack: Stack, world: World, options: Options = _PLAIN) -> Translation:
    """Return NetworkPolicies that let through what *stack* does in *world*, and never more, with a verdict on every rule.

    NetworkPolicies of *world* that are in the stack stay as they are, and are judged too.
    """
    translator = _Translator(stack, world, options)
    specs = list(translator.specs())
    made: tuple[Output, ...] = outputs(specs, options, world)
    return judge(stack, world, options, translator.ledgers, translator.failed, translator.kept, made)
