from __future__ import annotations

from typing import Any

import pytest

from eksnetpol.errors import UsageError
from eksnetpol.model.findings import Severity
from eksnetpol.model.settings import Settings, TargetSettings

FILE = Settings(
    fail_on="warning",
    select=("nodes",),
    severity={"a": Severity.ADVICE, "b": Severity.WARNING},
    target=TargetSettings(cluster="prod", region="eu-west-1"),
)


def test_what_is_given_replaces_and_what_is_not_stays() -> None:
    over: dict[str, Any] = {"fail_on": "blocker", "fail_on_unknown": None, "select": (), "skip": ("api",)}
    merged = FILE.merged(over)
    assert (merged.fail_on, merged.select, merged.skip) == ("blocker", ("nodes",), ("api",))
    assert merged.fail_on_unknown is None


def test_targets_and_severities_are_merged_name_by_name() -> None:
    merged = FILE.merged({"target": {"region": "us-east-1", "role_arn": "arn", "cluster": None}, "severity": {"b": "blocker"}})
    assert merged.target == TargetSettings(cluster="prod", region="us-east-1", role_arn="arn")
    assert merged.severity == {"a": Severity.ADVICE, "b": Severity.BLOCKER}


def test_texts_are_read_as_variables_are() -> None:
    merged = FILE.merged({"fail_on_unknown": "true", "select": "nodes, api-*", "skip": "platform"})
    assert merged.fail_on_unknown is True
    assert merged.select == ("nodes", "api-*")
    assert merged.skip == ("platform",)


def test_merging_nothing_changes_nothing() -> None:
    assert FILE.merged({}) == FILE
    assert FILE.merged({"target": {}, "severity": {}}) == FILE


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"fail_on": "error"}, "fail-on: Invalid enum value 'error'"),
        ({"colour": True}, "there is no setting 'colour'"),
        ({"target": {"cloud": "aws"}}, "target: Object contains unknown field `cloud`"),
        ({"fail_on_unknown": "perhaps"}, "fail-on-unknown: Expected `bool"),
    ],
)
def test_what_means_nothing_is_refused(over: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        FILE.merged(over)
    assert words in str(raised.value)
