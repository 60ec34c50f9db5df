"""EKS as a state machine: what it refuses, what it remembers, and how changes end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eksnetpol.simulation.eks import Effect, Eks, EksCluster, EksError, Fate, Json, Outcome
from eksnetpol.simulation.eks_changes import create_addon, delete_addon, update_addon
from eksnetpol.simulation.eks_settling import drive, next_due
from eksnetpol.simulation.eks_tags import MOST, tagged, tags_of

START = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:eks:us-west-2:123456789012:cluster/shop"
OFFERED = ("v1.23.0-eksbuild.1", "v1.22.4-eksbuild.1", "v1.20.5-eksbuild.1")
ROLE = "arn:aws:iam::123456789012:role/aws-node"
CONFLICT: Json = {"errorCode": "ConfigurationConflict", "errorMessage": "Conflicts found", "resourceIds": ["aws-node"]}
ADDON: Json = {
    "addonName": "vpc-cni",
    "clusterName": "shop",
    "status": "ACTIVE",
    "addonVersion": OFFERED[2],
    "addonArn": f"{ARN}/vpc-cni",
    "health": {"issues": []},
    "configurationValues": '{"enableWindowsIpam":"true"}',
    "serviceAccountRoleArn": ROLE,
}


def service(addon: Json | None = ADDON, **cluster: str) -> Eks:
    described = {"name": "shop", "arn": ARN, "version": "1.33", "status": "ACTIVE", **cluster}
    return Eks({"shop": EksCluster(described, {} if addon is None else {"vpc-cni": addon})}, {"1.33": OFFERED})


class Cluster:
    """A place whose DaemonSet is whatever a test says, and that keeps what was done."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.performed: list[Effect] = []
        self.outcome = outcome or Outcome()
        self.updated = self.available = self.wanted = 4

    def perform(self, effect: Effect) -> Outcome:
        """Keep it."""
        self.performed.append(effect)
        return self.outcome

    def daemonset(self, addon: str) -> Json | None:
        """Return the counts."""
        assert addon == "vpc-cni"
        status = {"updatedNumberScheduled": self.updated, "numberAvailable": self.available, "observedGeneration": 1}
        return {"metadata": {"generation": 1}, "status": {**status, "desiredNumberScheduled": self.wanted}}


def at(eks: Eks, seconds: float, place: Cluster | None = None, *, since: float = 0) -> Eks:
    """Return the state after time has passed from *since* on, in steps of a second."""
    for second in range(int(since), int(seconds) + 1):
        eks = drive(eks, START + timedelta(seconds=second), place)
    return eks


def status(eks: Eks) -> str:
    return str(eks.addon("shop", "vpc-cni")["status"])


def updated(eks: Eks, **wanted: object) -> Eks:
    return update_addon(eks, "shop", "vpc-cni", wanted, START)[0]


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        {"configurationValues": '{"enableNetworkPolicy":true}'},
        {"configurationValues": '{"colour":"red"}'},
        {"configurationValues": "[1"},
        {"configurationValues": "text"},
        {"addonVersion": "v9.9.9-eksbuild.1"},
    ],
)
def test_what_is_not_offered_or_does_not_fit_the_schema_is_an_invalid_parameter(wanted: Json) -> None:
    with pytest.raises(EksError) as refused:
        updated(service(), **wanted)
    assert refused.value.code == "InvalidParameterException"


def test_a_schema_that_is_known_better_is_the_one_that_counts() -> None:
    lenient = replace(service(), schemas={OFFERED[2]: "{}"})
    assert status(at(updated(lenient, configurationValues='{"colour":"red"}'), 3)) == "UPDATING"


def test_one_change_at_a_time() -> None:
    creating, _ = create_addon(service(None), "shop", {"addonName": "vpc-cni"}, START)
    for busy in (updated(service(), addonVersion=OFFERED[0]), creating):
        with pytest.raises(EksError) as refused:
            updated(busy, addonVersion=OFFERED[1])
        assert refused.value.code == "ResourceInUseException"


def test_a_cluster_that_is_being_updated_takes_no_change() -> None:
    with pytest.raises(EksError) as refused:
        updated(service(status="UPDATING"), addonVersion=OFFERED[0])
    assert refused.value.code == "ResourceInUseException"


def test_an_add_on_under_change_is_not_deleted_and_one_being_deleted_is_deleted_once() -> None:
    with pytest.raises(EksError) as refused:
        delete_addon(updated(service(), addonVersion=OFFERED[0]), "shop", "vpc-cni", START)
    assert refused.value.code == "InvalidRequestException"
    deleting, first = delete_addon(service(), "shop", "vpc-cni", START)
    assert delete_addon(deleting, "shop", "vpc-cni", START) == (deleting, first)


# --- tokens, roles, associations --------------------------------------------------------------------------------------


def test_a_token_names_one_request() -> None:
    wanted = {"addonVersion": OFFERED[0], "clientRequestToken": "once"}
    eks, first = update_addon(service(), "shop", "vpc-cni", wanted, START)
    eks = at(eks, 30)
    same, again = update_addon(eks, "shop", "vpc-cni", wanted, START)
    assert (same, again["id"], again["status"]) == (eks, first["id"], "Successful")
    with pytest.raises(EksError, match="other parameters"):
        update_addon(eks, "shop", "vpc-cni", {**wanted, "addonVersion": OFFERED[1]}, START)
    created, addon = create_addon(service(None), "shop", {"addonName": "vpc-cni", "clientRequestToken": "once"}, START)
    assert create_addon(created, "shop", {"addonName": "vpc-cni", "clientRequestToken": "once"}, START) == (created, addon)


def test_leaving_the_role_out_means_the_nodes_role_and_leaving_values_out_keeps_them() -> None:
    after = at(updated(service(), addonVersion=OFFERED[0]), 30).addon("shop", "vpc-cni")
    assert "serviceAccountRoleArn" not in after
    assert after["configurationValues"] == ADDON["configurationValues"]
    kept = at(updated(service(), serviceAccountRoleArn=ROLE, configurationValues="{}"), 30).addon("shop", "vpc-cni")
    assert (kept["serviceAccountRoleArn"], kept["configurationValues"]) == (ROLE, "{}")


def test_no_associations_deletes_the_add_ons_own_and_saying_nothing_leaves_them() -> None:
    theirs = {"associationId": "a-theirs", "namespace": "kube-system", "serviceAccount": "other"}
    eks = service()
    eks = eks.with_cluster("shop", replace(eks.of("shop"), pod_identities=(theirs,)))
    pair = [{"serviceAccount": "aws-node", "roleArn": ROLE}]
    for wanted, left in (({"podIdentityAssociations": pair}, 1), ({}, 1), ({"podIdentityAssociations": []}, 0)):
        eks = at(updated(eks, addonVersion=OFFERED[0], **wanted), 30)
        assert len(eks.of("shop").pod_identities) == left + 1
        assert len(eks.addon("shop", "vpc-cni").get("podIdentityAssociations", [])) == left
    eks = at(updated(eks, addonVersion=OFFERED[0], podIdentityAssociations=pair), 30)
    gone = at(delete_addon(eks, "shop", "vpc-cni", START, preserve=True)[0], 30)
    assert gone.of("shop").pod_identities == (theirs,)


# --- how changes end --------------------------------------------------------------------------------------------------


def test_the_state_before_is_shown_for_a_moment() -> None:
    eks = updated(service(), addonVersion=OFFERED[0])
    assert [status(at(eks, s)) for s in (0, 1, 2, 19, 20)] == ["ACTIVE", "ACTIVE", "UPDATING", "UPDATING", "ACTIVE"]


def test_objects_are_written_once_with_all_that_they_are_made_of() -> None:
    place = Cluster()
    at(updated(service(), configurationValues="{}", resolveConflicts="PRESERVE", serviceAccountRoleArn=ROLE), 30, place)
    assert place.performed == [
        Effect("shop", "vpc-cni", "update", OFFERED[2], "{}", ROLE, "PRESERVE", formerly=OFFERED[2], family="ipv4")
    ]


@pytest.mark.parametrize(("asked", "done"), [("PRESERVE", "NONE"), ("NONE", "NONE"), (None, "NONE"), ("OVERWRITE", "OVERWRITE")])
def test_preserve_on_create_behaves_as_none(asked: str | None, done: str) -> None:
    place = Cluster()
    mode = {} if asked is None else {"resolveConflicts": asked}
    eks = at(create_addon(service(None), "shop", {"addonName": "vpc-cni", **mode}, START)[0], 30, place)
    assert [e.resolve for e in place.performed] == [done]
    assert (status(eks), eks.addon("shop", "vpc-cni")["addonVersion"]) == ("ACTIVE", OFFERED[1])


def test_what_could_not_be_written_fails_and_leaves_the_add_on_as_it_was() -> None:
    place = Cluster(Outcome((CONFLICT,)))
    eks = at(updated(service(), addonVersion=OFFERED[0]), 30, place)
    (update,) = eks.updates("shop", "vpc-cni")
    addon = eks.addon("shop", "vpc-cni")
    assert (update["status"], update["errors"]) == ("Failed", [CONFLICT])
    assert (addon["status"], addon["addonVersion"]) == ("UPDATE_FAILED", OFFERED[2])
    assert [i["code"] for i in addon["health"]["issues"]] == ["ConfigurationConflict"]
    created = at(create_addon(service(None), "shop", {"addonName": "vpc-cni"}, START)[0], 30, place)
    assert status(created) == "CREATE_FAILED"
    assert status(at(updated(eks, addonVersion=OFFERED[0]), 30)) == "ACTIVE"


def test_it_is_active_only_when_it_has_rolled() -> None:
    place = Cluster()
    place.updated, place.available = 1, 3
    eks = at(updated(service(), addonVersion=OFFERED[0]), 60, place)
    assert status(eks) == "UPDATING"
    place.updated = place.available = 4
    assert status(at(eks, 61, place, since=61)) == "ACTIVE"


def test_a_roll_out_that_stands_still_is_degraded_and_recovers() -> None:
    place = Cluster()
    place.available = 3
    eks = at(updated(service(), addonVersion=OFFERED[0]), 310, place)
    assert status(eks) == "DEGRADED"
    assert eks.updates("shop", "vpc-cni")[0]["status"] == "InProgress"
    assert [i["code"] for i in eks.addon("shop", "vpc-cni")["health"]["issues"]] == ["InsufficientNumberOfReplicas"]
    place.available = 4
    eks = at(eks, 311, place, since=311)
    assert (status(eks), eks.addon("shop", "vpc-cni")["health"]["issues"]) == ("ACTIVE", [])


def test_an_update_gives_up_while_the_daemonset_goes_on() -> None:
    place = Cluster()
    place.available = 3
    eks = at(updated(service(), addonVersion=OFFERED[0]), 2500, place)
    assert eks.updates("shop", "vpc-cni")[0]["status"] == "Failed"
    assert (status(eks), eks.addon("shop", "vpc-cni")["addonVersion"]) == ("DEGRADED", OFFERED[0])
    place.available = 4
    assert status(at(eks, 2501, place, since=2501)) == "ACTIVE"


def test_fates_are_taken_one_by_one() -> None:
    fates = [Fate((CONFLICT,)), Fate((CONFLICT,), written=True), Fate(ails=timedelta(seconds=10))]
    eks, place = service().with_fates("shop", "vpc-cni", fates), Cluster()
    eks = at(updated(eks, addonVersion=OFFERED[0]), 30, place)
    assert (status(eks), place.performed) == ("UPDATE_FAILED", [])
    eks = at(updated(eks, addonVersion=OFFERED[0]), 30, place)
    assert (status(eks), len(place.performed)) == ("UPDATE_FAILED", 1)
    eks = at(updated(eks, addonVersion=OFFERED[0]), 25, place)
    assert status(eks) == "DEGRADED"
    assert status(at(eks, 31, place, since=26)) == "ACTIVE"
    assert next_due(eks, START + timedelta(seconds=60)) is None


def test_a_deletion_tells_whether_objects_stay() -> None:
    for preserve in (True, False):
        place = Cluster()
        eks = at(delete_addon(service(), "shop", "vpc-cni", START, preserve=preserve)[0], 30, place)
        assert [(e.verb, e.preserve) for e in place.performed] == [("delete", preserve)]
        with pytest.raises(EksError, match="No addon"):
            eks.addon("shop", "vpc-cni")


def test_a_resource_has_so_many_tags_and_no_more() -> None:
    eks = tagged(service(), ARN, {"team": "net"})
    assert tags_of(eks, ARN) == {"team": "net"}
    with pytest.raises(EksError) as refused:
        tagged(eks, f"{ARN}/vpc-cni", {str(i): "" for i in range(MOST + 1)})
    assert refused.value.code == "BadRequestException"
