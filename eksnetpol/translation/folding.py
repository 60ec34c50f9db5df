"""Goes through the tiers of one namespace and direction, from the last rule to the first, and returns what is let through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from eksnetpol.policy.connections import EVERYTHING, NOTHING, Connections
from eksnetpol.policy.stacks.algebra import conjunction, negation
from eksnetpol.policy.stacks.formulas import EVERYBODY, Formula
from eksnetpol.policy.stacks.rules import Does, PortName
from eksnetpol.translation.boxes import Box, Ref, Region, TierOf, covers, meant, words_of
from eksnetpol.translation.effort import TOO_MUCH, Effort
from eksnetpol.translation.rows import Row, Rows, foremost, needed
from eksnetpol.translation.subjects import looked_up

_OF_ONE_RULE, _AT_LEAST = 128, 4
"""So many boxes may be left of one rule at most, and so many even where there are very many rules."""
_COMPARED, _PAIR = 200, 4
"""So many boxes of one rule are held against each other after a PASS, and what each such pair costs."""


@dataclass
class Folding:
    """``lost`` says, by rule, what could only be taken away whole, or is left out.

    What is left of all rules is about ``limit`` boxes, or a few of each where there are very many rules. What goes beyond that,
    and what takes more ``effort`` than there is, is let through no more.
    """

    limit: int
    effort: Effort
    lost: dict[Ref, dict[str, None]] = field(default_factory=dict)
    _most: int = _OF_ONE_RULE
    _within: dict[tuple[Formula, Formula], bool] = field(default_factory=dict)

    def boxes(self, tiers: Sequence[TierOf]) -> list[Box]:
        """Return what pods may have."""
        allowing = sum(region.does is Does.ALLOW for tier in tiers for region in tier.regions)
        self._most = min(max(self.limit // (allowing + 1), _AT_LEAST), _OF_ONE_RULE)
        after: list[Row] = [[Box(EVERYBODY, EVERYBODY, EVERYTHING)]]
        for tier in reversed(tiers):
            passing = Rows(after if any(region.does is Does.PASS for region in tier.regions) else ())
            here = Rows(self._ended(tier, after))
            for region in reversed(tier.regions):
                match region.does:
                    case Does.ALLOW:
                        for box in reversed(list(_allowed(region))):
                            here.prepend([box])
                    case Does.DENY:
                        self._take(region, here)
                    case Does.PASS:
                        self._pass(region, here, passing)
            after = list(here)
        return [box for row in after for box in row]

    def _ended(self, tier: TierOf, after: list[Row]) -> list[Row]:
        """Return what a tier comes to where none of its rules says anything."""
        if tier.otherwise not in {Does.DENY, Does.ALLOW} or not tier.isolating:
            return after
        found = []
        for row in after:
            left = [replace(box, unless=(*box.unless, *tier.isolating)) for box in row]
            if not self._excepted(row[0].subject, tier.isolating):
                found.append(left)
        if tier.otherwise is Does.ALLOW:
            found += [[Box(one, EVERYBODY, EVERYTHING)] for one in tier.surely]
        return found

    # --- DENY ---------------------------------------------------------------------------------------------------------

    def _take(self, region: Region, here: Rows) -> None:
        for number, row in here.near(region.subject):
            here.put(number, self.without(region, row))

    def without(self, region: Region, row: Row) -> Row:
        """Return what is left of a row without what *region* matches."""
        found: dict[Box, None] = {}
        is_cut = False
        for box in row:
            left = self._taken(box, region)
            is_cut |= left != [box]
            found |= dict.fromkeys(left)
        if not is_cut:
            return row
        fitting = needed(list(found))
        if len(fitting) <= self._most:
            return fitting
        kept = foremost(fitting, self._most)
        words = f"what {words_of(region)} and others leave of it comes to more than {self._most} rules, and some are left out"
        for box in set(fitting) - set(kept):
            for ref in (box.origin, *box.cut_by):
                self._put(ref, words)
        return kept

    def _taken(self, box: Box, region: Region) -> list[Box]:
        denied = _denied(region, box.name)
        same = box.name is not None and any(covers(name, box.name) for name in region.names)
        if (not box.connections & denied and not same) or not self._touches(box, region):
            return [box]
        if self.effort.is_spent:
            self._say(box, region, TOO_MUCH)
            return []
        cut = replace(box, cut_by=box.cut_by | {region.ref})
        found = []
        if not self.effort.implies(box.subject, region.subject):
            found.append(replace(cut, unless=(*box.unless, region.subject)))
        if not self.effort.implies(box.peer, region.peer):
            but = frozenset(one for one in box.but if not self._is_inside(one, region.peer)) | {region.peer}
            found.append(replace(cut, peer=conjunction(box.peer, negation(region.peer)), but=but))
        rest = NOTHING if same else box.connections - denied
        if box.name is not None and rest:
            # A name may mean a port that is denied.
            self._say(box, region, f"the port named {box.name.name} may be one of those that {words_of(region)} denies")
            rest = NOTHING
        if rest:
            found.append(replace(cut, connections=rest))
        if region.names and box.name is None:
            self._say(box, region, f"{words_of(region)} names ports by name, so all ports of the protocol are taken away")
        if not region.is_sure:
            self._say(box, region, f"{words_of(region)} does not always hold, and is taken to do so")
        return [left for left in found if not self._is_empty(left)]

    def _touches(self, box: Box, region: Region) -> bool:
        if not self.effort.meets(box.subject, region.subject) or not self.effort.meets(box.peer, region.peer):
            return False
        return not box.unless or not self._excepted(conjunction(box.subject, region.subject), box.unless)

    def _is_inside(self, one: Formula, other: Formula) -> bool:
        key = (one, other)
        if key not in self._within:
            self._within[key] = self.effort.implies(one, other)
        return self._within[key]

    def _is_empty(self, box: Box) -> bool:
        if not box.connections or self.effort.is_nobody(box.peer):
            return True
        return self._excepted(box.subject, box.unless)

    def _excepted(self, subject: Formula, unless: tuple[Formula, ...]) -> bool:
        """Say whether all pods of *subject* are surely among those of one of *unless*."""
        known = looked_up(unless)
        return any(self.effort.implies(subject, known.formulas[number]) for number in known.near(subject))

    # --- PASS ---------------------------------------------------------------------------------------------------------

    def _pass(self, region: Region, here: Rows, after: Rows) -> None:
        passed: list[Row] = []
        for _, row in after.near(region.sure_subject):
            by_name: dict[PortName | None, Row] = {}
            for common in (common for box in row for common in self._common(box, region)):
                by_name.setdefault(common.name, []).append(common)
            passed += by_name.values()
        if not region.is_sure or region.names:
            # What it passes on is only sure where it would have been let through here too.
            if not region.is_sure and any(self._may_pass(box, region) for _, row in after.near(region.subject) for box in row):
                self._say(None, region, f"{words_of(region)} does not always hold, and is taken not to pass anything on")
            if region.names and not all(self._is_let_through(one, here) for row in passed for one in row):
                self._say(None, region, f"{words_of(region)} names ports by name, and is taken not to pass these on")
            passed = [[box] for box in self._both(region, passed, here)]
        self._take(region, here)
        for row in passed:
            here.append(row)
        self._leave_out(region, here)

    def _may_pass(self, box: Box, region: Region) -> bool:
        """Say whether what *region* passes on, sure or not, may be something that *box* lets through."""
        spoken = region.connections
        for name in region.names:
            spoken = spoken | meant(name)
        return bool(box.connections & spoken) and self._touches(box, region)

    def _common(self, box: Box, region: Region) -> Iterator[Box]:
        """Yield what *box* and the surely matched part of a PASS rule have in common."""
        if not self.effort.meets(box.subject, region.sure_subject) or not self.effort.meets(box.peer, region.sure_peer):
            return
        if self.effort.is_spent:
            self._say(box, region, TOO_MUCH)
            return
        subject, peer = conjunction(box.subject, region.sure_subject), conjunction(box.peer, region.sure_peer)
        common = replace(box, subject=subject, peer=peer)
        if box.name is None:
            if box.connections & region.connections:
                yield replace(common, connections=box.connections & region.connections)
            for name in region.names:
                if meant(name) <= box.connections:
                    yield replace(common, connections=meant(name), name=name)
        elif box.connections <= region.connections or any(covers(name, box.name) for name in region.names):
            yield common

    def _is_let_through(self, box: Box, here: Rows) -> bool:
        return any(self._is_within(box, other) for _, row in here.near(box.subject) for other in row)

    def _both(self, region: Region, passed: list[Row], here: Rows) -> list[Box]:
        found: dict[Box, None] = {}
        for one in (box for row in passed for box in row):
            for other in (box for _, row in here.near(one.subject) for box in row):
                if not self._overlap(one, other):
                    continue
                if self.effort.is_spent or len(found) >= self.limit:
                    self._say(one, region, TOO_MUCH)
                    break
                both = _met(one, other)
                if not self._is_empty(both):
                    found[both] = None
        return list(found)

    def _overlap(self, one: Box, other: Box) -> bool:
        if one.name is not None or other.name is not None:
            fits = one.name == other.name or (one.connections <= other.connections and other.name is None)
        else:
            fits = bool(one.connections & other.connections)
        return fits and self.effort.meets(one.subject, other.subject) and self.effort.meets(one.peer, other.peer)

    def _leave_out(self, region: Region, here: Rows) -> None:
        """Leave out what another box of the same rule says too, and what is too much of it."""
        alike: dict[tuple[Ref | None, PortName | None], list[int]] = {}
        for number, row in here.numbered():
            alike.setdefault((row[0].origin, row[0].name), []).append(number)
        for numbers in (numbers for numbers in alike.values() if len(numbers) > 1):
            boxes = [box for number in numbers for box in here.rows[number]]
            if len(boxes) > _COMPARED:
                self._say(boxes[-1], region, TOO_MUCH)
            kept = frozenset(self._without_covered(boxes[:_COMPARED]))
            for number in numbers:
                here.put(number, [box for box in here.rows[number] if box in kept])

    def _without_covered(self, boxes: Iterable[Box]) -> Row:
        left: Row = []
        for box in boxes:
            if any(self._is_within(box, other) for other in left):
                continue
            left = [other for other in left if not self._is_within(other, box)]
            left.append(box)
        return left

    def _is_within(self, box: Box, other: Box) -> bool:
        if self.effort.is_spent:
            return False
        self.effort.left -= _PAIR
        return (
            box.connections <= other.connections
            and set(other.unless) <= set(box.unless)
            and self.effort.implies(box.subject, other.subject)
            and self.effort.implies(box.peer, other.peer)
        )

    # --- what is lost -------------------------------------------------------------------------------------------------

    def _say(self, box: Box | None, region: Region, words: str) -> None:
        for ref in (None if box is None else box.origin, region.ref):
            self._put(ref, words)

    def _put(self, ref: Ref | None, words: str) -> None:
        if ref is not None:
            self.lost.setdefault(ref, {})[words] = None


def _denied(region: Region, own: PortName | None) -> Connections:
    """Return all that a rule may deny by number, or by another name than *own*."""
    denied = region.connections
    for name in region.names:
        if name != own:
            denied = denied | meant(name)
    return denied


def _allowed(region: Region) -> Iterator[Box]:
    if region.connections:
        yield Box(region.subject, region.peer, region.connections, origin=region.ref)
    for name in region.names:
        yield Box(region.subject, region.peer, meant(name), name, region.ref)


def _met(one: Box, other: Box) -> Box:
    return replace(
        one,
        subject=conjunction(one.subject, other.subject),
        peer=conjunction(one.peer, other.peer),
        connections=one.connections & other.connections,
        unless=tuple(dict.fromkeys((*one.unless, *other.unless))),
        cut_by=one.cut_by | other.cut_by,
        origin=one.origin or other.origin,
        but=frozenset(),
    )
