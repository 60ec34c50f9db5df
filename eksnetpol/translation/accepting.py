"""What somebody takes on by name when an engine is left: policies that let more through, and what goes with the engine.

It stands in ``eksnetpol.toml`` (``[[migration-waivers]]``) or behind ``--waive``; always with an owner, a last day and a reason,
and never as a pattern: nobody can take on what was not looked at. As with findings, what stands in the file and has expired or
matches nothing is a note and waives nothing; what is said at the command line is meant for this very run, so a mistake ends it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from eksnetpol.errors import Refused, UsageError
from eksnetpol.model.settings import MigrationWaiverSetting
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.translation.values import FLAG, Accepted, Translation, Verdict

TABLE = "migration-waivers"
_TEXT = re.compile(r"(?P<what>[^=\s]+)=(?P<owner>[^,]+),(?P<until>\d{4}-\d{2}-\d{2}),(?P<reason>.+)")
_GLOB = re.compile(r"[*?\[]")


def said(texts: Iterable[str], today: date, *, losses: bool = False) -> tuple[Accepted, ...]:
    """Read ``NAME=OWNER,YYYY-MM-DD,REASON`` from the command line, the names of losses where *losses* are meant.

    Raises `UsageError` for what is none, `Refused` for one that has expired.
    """
    noun = "LOSS" if losses else "POLICY"
    found = []
    for text in texts:
        read = _TEXT.fullmatch(text.strip())
        if read is None or not (read["owner"].strip() and read["reason"].strip()):
            named = "what is lost" if losses else "the policy"
            raise UsageError(f"{FLAG} {text!r}: write {noun}=OWNER,YYYY-MM-DD,REASON, {named} as the report names it")
        try:
            until = date.fromisoformat(read["until"])
        except ValueError as error:
            raise UsageError(f"{FLAG} {text!r}: {error}") from None
        if until < today:
            raise Refused(f"the waiver of {read['what']} by {read['owner']} has expired on {until}; nothing was written")
        _no_glob(read["what"], f"{FLAG} {text!r}")
        found.append(Accepted(read["what"], read["owner"].strip(), until, read["reason"].strip(), is_loss=losses))
    return tuple(found)


def written(settings: Iterable[MigrationWaiverSetting]) -> tuple[Accepted, ...]:
    """Return what ``eksnetpol.toml`` says, expired or not; raise `UsageError` where a waiver is incomplete or says two things."""
    found = []
    for number, one in enumerate(settings):
        at = f"{TABLE}[{number}]"
        what = one.policy or one.loss
        if bool(one.policy) == bool(one.loss):
            raise UsageError(f"{at}: name either a policy that lets more through, or a loss that goes with the engine")
        if not one.owner.strip() or not one.reason.strip():
            raise UsageError(f"{at}: the waiver of {what} needs an owner and a reason")
        _no_glob(what, at)
        kind, slash, rest = what.partition("/")
        name = f"{kind.lower()}{slash}{rest}"
        found.append(Accepted(name, one.owner.strip(), one.expires, one.reason.strip(), bool(one.loss), from_file=True))
    return tuple(found)


def _no_glob(what: str, at: str) -> None:
    if _GLOB.search(what):
        raise UsageError(f"{at}: {what!r} is a pattern; name each one, for nobody can take on what has not been looked at")


def holding(waivers: Iterable[Accepted], today: date, *, losses: bool = False) -> tuple[tuple[Accepted, ...], tuple[str, ...]]:
    """Return those about losses, or those about policies, that hold *today*, and a note on each that has expired."""
    meant = [one for one in waivers if one.is_loss is losses]
    gone = (f"{one.place} expired on {one.until} and no longer waives anything" for one in meant if one.until < today)
    return tuple(one for one in meant if one.until >= today), tuple(gone)


def resolved(taken: Iterable[Accepted], stack: Stack) -> tuple[tuple[Accepted, ...], tuple[str, ...]]:
    """Return *taken* with the names that reports have for policies of *stack*, and a note on each that could mean several.

    ``networkpolicy/shop/db`` will do for ``networkpolicy.projectcalico.org/shop/db`` where there is no other. Raises `UsageError`
    where the command line says what could mean several.
    """
    names = _names(stack)
    found, notes = [], []
    for one in taken:
        meant = [one.what] if one.what in names else sorted(name for name in names if _short(name) == one.what)
        if len(meant) > 1:
            words = f"{one.place} could mean {' or '.join(meant)}"
            if not one.from_file:
                raise UsageError(f"{words}; name one as the report does")
            notes.append(f"{words}, so it waives nothing")
            continue
        found.append(replace(one, what=meant[0]) if meant else one)
    return tuple(found), tuple(notes)


def of_policies(taken: Sequence[Accepted], done: Translation, stack: Stack) -> tuple[str, ...]:
    """Return notes on those of *taken* that waive nothing in *done*.

    Raises `UsageError` where the command line names a policy that is not there.
    """
    looser = {one.what for one in used(taken, done)}
    unclear = {str(one.ref) for one in stack.unread}
    return tuple(_notes(taken, _names(stack), looser, unclear, "policy", "it lets nothing more through; remove it"))


def _names(stack: Stack) -> set[str]:
    held = {str(policy.ref) for tier in stack.tiers for policy in tier.policies}
    return held | {str(one.ref) for one in (*stack.refused, *stack.unread, *stack.closed)}


def _short(name: str) -> str:
    """Return a name without the group of its kind, which only those have that Kubernetes has a kind of the same name for."""
    kind, slash, rest = name.partition("/")
    return f"{kind.partition('.')[0]}{slash}{rest}"


def used(taken: Sequence[Accepted], done: Translation) -> Iterator[Accepted]:
    """Yield those of *taken* without which something in *done* would stand in the way."""
    looser = {str(j.ref) for j in done.judged if j.verdict is Verdict.LOOSER}
    return (one for one in taken if one.what in looser)


def of_losses(taken: Sequence[Accepted], losses: Iterable[str], blocking: Iterable[str], *, all_seen: bool) -> tuple[str, ...]:
    """Return notes on those of *taken* that waive nothing: *losses* can be waived, what is *blocking* cannot.

    Raises `UsageError` where *all_seen* and the command line names nothing that is lost.
    """
    can, cannot = set(losses), set(blocking)
    more = cannot | (set() if all_seen else {one.what for one in taken})
    words = "it has to be seen to before, and cannot be waived"
    if not all_seen:
        words = "not all could be read, so nobody knows whether it is lost"
    return tuple(_notes(taken, can | more, can, set(), "loss", words))


def _notes(
    taken: Sequence[Accepted], names: set[str], waivable: set[str], unclear: set[str], noun: str, otherwise: str
) -> Iterator[str]:
    for one in taken:
        if one.what in waivable:
            continue
        if one.what in unclear:
            yield f"{one.place} meets a policy that is not understood; a waiver does not settle that"
        elif one.what in names:
            yield f"{one.place} waives nothing: {otherwise}"
        elif one.from_file:
            yield f"{one.place} matches no {noun}{_hint(one.what, names)}; remove it"
        else:
            raise UsageError(f"{one.place}: there is no such {noun}{_hint(one.what, names) or _all(names)}")


def _hint(what: str, names: set[str]) -> str:
    ends = sorted(name for name in names if name.endswith(f"/{what}"))
    close = ends or difflib.get_close_matches(what, sorted(names), n=1)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def _all(names: set[str]) -> str:
    return f"; there are {', '.join(sorted(names)[:8])}{' …' if len(names) > 8 else ''}" if names else ""  # noqa: PLR2004
