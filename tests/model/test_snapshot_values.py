"""Snapshots are values that survive being written down."""

from __future__ import annotations

import msgspec

from eksnetpol.model.kubernetes import Pod, labels_of
from eksnetpol.model.snapshot import SECTIONS, ClusterSnapshot, Seen, Unread, Why, unread_sections


def test_every_section_starts_unread() -> None:
    assert {u.name for u in unread_sections(ClusterSnapshot())} == set(SECTIONS)


def test_a_refused_section_is_no_empty_list() -> None:
    snapshot = ClusterSnapshot(nodes=Unread("nodes is forbidden", Why.DENIED, "list nodes"), pods=Seen(()))
    again = msgspec.json.decode(msgspec.json.encode(snapshot), type=ClusterSnapshot)
    assert again.nodes == Unread("nodes is forbidden", Why.DENIED, "list nodes")
    assert again.pods == Seen(())


def test_a_pod_of_the_api_decodes_and_encodes_to_itself() -> None:
    text = b'{"metadata":{"name":"a","namespace":"shop","labels":{"app":"a"}},"spec":{"containers":[{"name":"c"}]},"status":{}}'
    pod = msgspec.json.decode(text, type=Pod)
    assert pod.labels == {"app": "a"}
    assert [c.name for c in pod.containers] == ["c"]
    assert msgspec.json.decode(msgspec.json.encode(pod), type=Pod).labels == pod.labels


def test_labels_that_are_null_are_none() -> None:
    assert labels_of(b"null") == {}


def test_pods_with_the_same_labels_share_them() -> None:
    assert labels_of(b'{"app":"shared"}') is labels_of(b'{"app":"shared"}')
