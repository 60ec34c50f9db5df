from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from eksnetpol.fields.apply import applied
from eksnetpol.fields.holds import value_at
from eksnetpol.fields.keeping import kept
from eksnetpol.fields.values import ABSENT
from eksnetpol.model.kinds import Json

NOW = datetime(2026, 11, 1, tzinfo=UTC)
OURS = "eksnetpol"
AGENT = '.spec.template.spec.containers[name="agent"]'


def node(containers: list[Json], **metadata: Any) -> Json:
    head = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "a", "namespace": "k", **metadata}}
    return {**head, "spec": {"template": {"spec": {"containers": containers}}}}


def apply(live: Json | None, wanted: Json, manager: str = OURS) -> Json:
    return applied(live, wanted, manager=manager, force=True, now=NOW)


THEIRS = apply(None, node([{"name": "cni", "image": "i", "env": [{"name": "A", "value": "1"}]}]), "kubectl")
LIVE = apply(
    THEIRS,
    node(
        [{"name": "agent", "image": "j", "args": ["--off"]}, {"name": "cni", "env": [{"name": "B", "value": "2"}]}],
        labels={"x.y/z": "1"},
    ),
)
"""Somebody's object, to which we have added a container, a variable and a label."""


def test_without_keeping_what_is_not_said_again_goes() -> None:
    after = apply(LIVE, node([{"name": "cni", "env": [{"name": "C", "value": "3"}]}]))
    assert value_at(after, AGENT) is ABSENT


def test_what_we_hold_is_said_again_with_its_live_value() -> None:
    after = apply(LIVE, kept(LIVE, node([{"name": "agent", "args": ["--on"]}])))
    assert value_at(after, AGENT) == {"name": "agent", "image": "j", "args": ["--on"]}
    assert value_at(after, '.spec.template.spec.containers[name="cni"].env[name="B"].value') == "2"
    assert value_at(after, ".metadata.labels.x.y/z") == "1"


def test_what_others_hold_is_not_taken_up() -> None:
    sent = kept(LIVE, node([]))
    assert value_at(sent, '.spec.template.spec.containers[name="cni"].image') is ABSENT
    assert value_at(sent, '.spec.template.spec.containers[name="cni"].env[name="A"]') is ABSENT


def test_what_is_dropped_goes_with_all_below_it() -> None:
    bare = {k: v for k, v in node([]).items() if k != "spec"}
    after = apply(LIVE, kept(LIVE, bare, drops=(AGENT, ".metadata.labels.x.y/z")))
    assert value_at(after, AGENT) is ABSENT
    assert value_at(after, ".metadata.labels.x.y/z") is ABSENT
    assert value_at(after, '.spec.template.spec.containers[name="cni"].env[name="B"].value') == "2"


def test_there_is_nothing_to_keep_where_we_hold_nothing() -> None:
    wanted = node([{"name": "cni", "image": "k"}])
    assert kept(None, wanted) == wanted
    assert kept(THEIRS, wanted) == wanted


def test_keeping_twice_changes_nothing() -> None:
    wanted = node([{"name": "agent", "args": ["--on"]}])
    once = apply(LIVE, kept(LIVE, wanted))
    assert apply(once, kept(once, wanted))["spec"] == once["spec"]
