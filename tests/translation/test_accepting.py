"""What somebody takes on: as it is written, as long as it holds, and where it waives nothing."""

from __future__ import annotations

from datetime import date

import pytest

from eksnetpol.errors import Refused, UsageError
from eksnetpol.model.findings import Subject
from eksnetpol.model.settings import MigrationWaiverSetting
from eksnetpol.policy.stacks.formulas import EVERYBODY
from eksnetpol.policy.stacks.rules import Refused as NotInForce
from eksnetpol.policy.stacks.rules import Stack, StackPolicy, StackTier
from eksnetpol.translation.accepting import holding, of_losses, of_policies, resolved, said, written
from eksnetpol.translation.values import Accepted, Judged, Translation, Verdict

TODAY, LATER = date(2026, 11, 27), date(2027, 3, 31)
CALICO = Subject("NetworkPolicy.projectcalico.org", "db", "shop")
KUBERNETES = Subject("NetworkPolicy", "db", "shop")
GLOBAL = Subject("GlobalNetworkPolicy", "web")


def waiver(what: str, *, until: date = LATER, from_file: bool = True, is_loss: bool = False) -> Accepted:
    return Accepted(what, "ada", until, "seen", is_loss, from_file)


def stack(*refs: Subject, unread: tuple[Subject, ...] = ()) -> Stack:
    held = tuple(StackPolicy(ref, EVERYBODY, frozenset(), ()) for ref in refs)
    return Stack("calico", (StackTier("default", held),), unread=tuple(NotInForce(ref, "a field") for ref in unread))


def done(*looser: Subject, alike: tuple[Subject, ...] = ()) -> Translation:
    return Translation(
        judged=(*(Judged(ref, "", Verdict.LOOSER) for ref in looser), *(Judged(ref, "", Verdict.EXACT) for ref in alike))
    )


def test_the_command_line_names_who_until_when_and_why() -> None:
    (one,) = said(["globalnetworkpolicy/web= ada ,2027-03-31, seen, and agreed "], TODAY)
    assert one == Accepted("globalnetworkpolicy/web", "ada", LATER, "seen, and agreed")
    assert said(["wireguard=ada,2026-11-27,nitro"], TODAY, losses=True)[0].is_loss


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("web", "write POLICY=OWNER,YYYY-MM-DD,REASON"),
        ("web=ada,2027-03-31", "write POLICY=OWNER"),
        ("web= ,2027-03-31,seen", "write POLICY=OWNER"),
        ("web=ada,2027-13-31,seen", "month must be in 1..12"),
        ("globalnetworkpolicy/*=ada,2027-03-31,seen", "is a pattern; name each one"),
    ],
)
def test_a_mistake_at_the_command_line_ends_the_run(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("*", r"\*")):
        said([text], TODAY)


def test_what_has_expired_is_refused_where_it_is_said_and_noted_where_it_is_written() -> None:
    with pytest.raises(Refused, match="expired on 2026-11-26"):
        said(["web=ada,2026-11-26,seen"], TODAY)
    old, last_day = waiver("a/b", until=date(2026, 11, 26)), waiver("a/c", until=TODAY)
    assert holding((old, last_day), TODAY) == (
        (last_day,),
        ("the waiver of a/b by ada expired on 2026-11-26 and no longer waives anything",),
    )


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (MigrationWaiverSetting("ada", LATER, "seen"), "name either a policy"),
        (MigrationWaiverSetting("ada", LATER, "seen", policy="a/b", loss="wireguard"), "name either a policy"),
        (MigrationWaiverSetting(" ", LATER, "seen", policy="a/b"), "needs an owner and a reason"),
        (MigrationWaiverSetting("ada", LATER, "", loss="wireguard"), "needs an owner and a reason"),
        (MigrationWaiverSetting("ada", LATER, "seen", policy="a/?"), "is a pattern"),
    ],
)
def test_a_mistake_in_the_file_names_which_one(one: MigrationWaiverSetting, words: str) -> None:
    good = MigrationWaiverSetting("ada", LATER, "seen", policy="GlobalNetworkPolicy/Web")
    assert written([good])[0].what == "globalnetworkpolicy/Web"
    with pytest.raises(UsageError, match=rf"^migration-waivers\[1\]: .*{words}"):
        written([good, one])


def test_losses_and_policies_are_kept_apart() -> None:
    both = (waiver("wireguard", is_loss=True), waiver("globalnetworkpolicy/web"))
    assert holding(both, TODAY, losses=True)[0] == both[:1]
    assert holding(both, TODAY)[0] == both[1:]


def test_a_short_name_will_do_where_it_means_one() -> None:
    assert resolved([waiver("networkpolicy/shop/db")], stack(CALICO))[0][0].what == str(CALICO)
    assert resolved([waiver("networkpolicy/shop/db")], stack(CALICO, KUBERNETES))[0][0].what == str(KUBERNETES)
    other = Subject("NetworkPolicy.crd.antrea.io", "db", "shop")
    left, notes = resolved([waiver("networkpolicy/shop/db")], stack(CALICO, other))
    assert not left
    (note,) = notes
    meant = "networkpolicy.crd.antrea.io/shop/db or networkpolicy.projectcalico.org/shop/db"
    assert note == f"the waiver of networkpolicy/shop/db by ada could mean {meant}, so it waives nothing"
    with pytest.raises(UsageError, match=r"could mean .* name one as the report does"):
        resolved([waiver("networkpolicy/shop/db", from_file=False)], stack(CALICO, other))


def test_what_a_setting_keeps_closed_is_taken_on_by_the_name_of_its_object() -> None:
    mine = Stack("cilium", (), closed=(NotInForce(Subject("ConfigMap", "cilium-config", "kube-system"), "it is closed"),))
    taken, notes = resolved((waiver("configmap/kube-system/cilium-config"),), mine)
    assert not notes
    assert not of_policies(taken, done(mine.closed[0].ref), mine)


def test_what_waives_nothing_is_said() -> None:
    taken = [waiver(f"globalnetworkpolicy/{name}") for name in ("web", "wbe")]
    taken[1:1] = [waiver("networkpolicy/shop/db"), waiver("a/odd")]
    found = of_policies(taken, done(GLOBAL, alike=(KUBERNETES,)), stack(GLOBAL, KUBERNETES, unread=(Subject("A", "odd"),)))
    assert found == (
        "the waiver of networkpolicy/shop/db by ada waives nothing: it lets nothing more through; remove it",
        "the waiver of a/odd by ada meets a policy that is not understood; a waiver does not settle that",
        "the waiver of globalnetworkpolicy/wbe by ada matches no policy (did you mean globalnetworkpolicy/web?); remove it",
    )
    with pytest.raises(UsageError, match=r"--waive globalnetworkpolicy/wbe: there is no such policy \(did you mean"):
        of_policies([waiver("globalnetworkpolicy/wbe", from_file=False)], done(GLOBAL), stack(GLOBAL))


def test_of_losses_only_those_that_can_be_waived_are() -> None:
    taken = [waiver(name, is_loss=True) for name in ("wireguard", "kube-proxy", "ipsec")]
    assert of_losses(taken, ["wireguard"], ["kube-proxy"], all_seen=True) == (
        "the waiver of kube-proxy by ada waives nothing: it has to be seen to before, and cannot be waived",
        "the waiver of ipsec by ada matches no loss; remove it",
    )
    (note,) = of_losses(taken[2:], [], [], all_seen=False)
    assert note.endswith("not all could be read, so nobody knows whether it is lost")
