"""A change in each owner's language: what people see, and what the language's own tool or schema says of it."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from eksnetpol.errors import Refused, UsageError
from eksnetpol.model.actions import Apply, UpdateAddon
from eksnetpol.model.conditions import Holds
from eksnetpol.model.plan import Step, Verb, Way
from eksnetpol.model.snapshot import Target
from eksnetpol.reporting.render import LANGUAGES, OF_ADDON, hcl, languages_for, write
from eksnetpol.reporting.render.order import Order, compact
from tests.reporting.render_orders import (
    AGENT,
    BY_HAND,
    HELM_UPGRADE,
    MERGED,
    OF_HELM,
    ORDERS,
    ROLE,
    ROLLING,
    addon,
    plan,
    updating,
)
from tests.testbed.hcl import evaluated

Golden = Callable[[str, str], None]
DATA = Path(__file__).parents[1] / "data"
ENDINGS = {"terraform": "tf", "cloudformation": "yaml", "cdk": "ts", "eksctl": "yaml", "aws-cli": "sh"}

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
TRICKY = st.text(st.sampled_from("$%{}\"'\\\n\r\t~`!#:-[],&*é\u2028\u202e\x1b😀 ax0"), max_size=12)
TEXT = st.one_of(
    ANY_TEXT, TRICKY, st.sampled_from(["${a}", "%{ if x }", "$${a}", "$$${", "true", "null", "0123", "1e3", "::error::", "##["])
)
DOCUMENTS = st.recursive(
    st.one_of(TEXT, st.booleans(), st.none(), st.integers(-(2**53), 2**53)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)
VALUES = st.dictionaries(TEXT.filter(bool), DOCUMENTS, min_size=1, max_size=4)


a_process_each = settings(deadline=None, max_examples=60)
"""Of a test that starts a process for every example: how long that takes is the machine's affair."""

STUBS = r"""
sleep() { :; }
kubectl() { :; }
aws() {
  case "$2" in
    update-addon) printf "%s\\0" "$@" >&2; echo u-1 ;;
    describe-update) echo Successful ;;
  esac
}
"""
"""An AWS CLI that tells on stderr what an update was called with, and to which every update succeeds."""


def told(values: Any) -> Order:
    """An order that gives the add-on *values*."""
    return Order(plan(updating(json.dumps(values))), addon())


# --- what people see ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", OF_ADDON)
@pytest.mark.parametrize("name", ORDERS)
def test_a_change_of_the_addon(name: str, language: str, golden: Golden) -> None:
    text = write(ORDERS[name], language)
    assert text.isascii()
    golden(f"render/{name}.{language}.{ENDINGS[language]}", text)


def test_a_change_by_hand(golden: Golden) -> None:
    golden("render/manifest.kubectl.yaml", write(BY_HAND, "kubectl"))
    golden("render/disable.kubectl.yaml", write(ORDERS["disable"], "kubectl"))


def test_a_change_of_a_release(golden: Golden) -> None:
    golden("render/enable.helm-values.yaml", write(OF_HELM, "helm-values"))
    golden("render/upgrade.helm-values.yaml", write(HELM_UPGRADE, "helm-values"))


# --- what makes no sense ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "language", "says"),
    [
        (ORDERS["enable"], "helm-values", "as an add-on"),
        (ORDERS["enable"], "kubectl", "--as terraform or cloudformation or cdk or eksctl or aws-cli does"),
        (BY_HAND, "terraform", "--as kubectl does; --adopt makes it an add-on"),
        (OF_HELM, "kubectl", "a Helm release owns"),
    ],
)
def test_a_language_that_does_not_fit_is_refused_with_the_one_that_does(order: Order, language: str, says: str) -> None:
    with pytest.raises(Refused) as caught:
        write(order, language)
    assert says in str(caught.value)
    assert caught.value.exit_code == 6


def test_every_language_fits_somewhere() -> None:
    orders = (*ORDERS.values(), BY_HAND, OF_HELM)
    assert {language for order in orders for language in languages_for(order)} == set(LANGUAGES)


def test_terraform_is_refused_where_it_would_see_nothing_to_do() -> None:
    order = Order(plan(updating(MERGED, resolve="OVERWRITE")), addon(MERGED))
    with pytest.raises(Refused, match="changed by hand in the cluster; --as aws-cli"):
        write(order, "terraform")
    assert "OVERWRITE" in write(order, "aws-cli")


@pytest.mark.parametrize("language", OF_ADDON)
def test_a_cluster_without_a_name_is_asked_for(language: str) -> None:
    order = Order(replace(plan(updating(MERGED)), target=Target(context="here")))
    with pytest.raises(UsageError, match="--cluster NAME"):
        write(order, language)


# --- Terraform: the library it reads HCL by, and the provider's schema -----------------------------------------------------


def resource(text: str) -> dict[str, Any]:
    """The one resource of a file of Terraform."""
    (found,) = evaluated(text)["blocks"]
    assert (found["type"], found["labels"]) == ("resource", ["aws_eks_addon", "vpc_cni"])
    made: dict[str, Any] = found
    return made


@pytest.mark.testbed
@pytest.mark.parametrize("name", ORDERS)
def test_terraform_reads_what_the_provider_knows(name: str) -> None:
    found, schema = (
        resource(write(ORDERS[name], "terraform")),
        json.loads((DATA / "terraform" / "aws_eks_addon.json").read_text()),
    )
    _fits(found["attributes"], schema["attributes"])
    for block in found["blocks"]:
        _fits(block["attributes"], schema["blocks"][block["type"]])


def _fits(attributes: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    assert attributes.keys() <= schema.keys()
    assert {name for name, about in schema.items() if about.get("required")} <= attributes.keys()
    types = {"string": "string", "bool": "boolean", "map": "object"}
    for name, value in attributes.items():
        about = {"type": types[schema[name]["type"]], **{k: schema[name][k] for k in ("enum", "pattern") if k in schema[name]}}
        jsonschema.validate(value, about)


@pytest.mark.testbed
def test_terraform_says_what_the_plan_says() -> None:
    found = resource(write(ORDERS["enable"], "terraform"))["attributes"]
    assert json.loads(found["configuration_values"]) == json.loads(MERGED)
    assert (found["service_account_role_arn"], found["resolve_conflicts_on_update"]) == (ROLE, "PRESERVE")
    made = resource(write(ORDERS["adopt"], "terraform"))
    assert made["attributes"]["tags"] == {"team": "net", "cost centre": "4,2=x"}
    assert made["blocks"][0]["attributes"] == {"role_arn": ROLE, "service_account": "aws-node"}


@pytest.mark.testbed
@a_process_each
@given(VALUES)
def test_terraform_reads_every_text_as_it_is(values: dict[str, Any]) -> None:
    found = resource(write(told(values), "terraform"))["attributes"]
    assert json.loads(found["configuration_values"]) == values


@pytest.mark.testbed
@a_process_each
@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=4))
def test_hcl_reads_every_map_as_it_is_but_for_its_normal_form(texts: dict[str, str]) -> None:
    def form(text: str) -> str:
        return unicodedata.normalize("NFC", text)

    read = evaluated(f"a = {hcl.value(texts)}\n")["attributes"]["a"]
    assert read == {form(key): form(text) for key, text in texts.items()}
    assert not hcl.is_held(texts) or read == texts


def test_what_terraform_would_hold_in_another_form_is_written_as_json() -> None:
    order = told({"a": "\u212b"})
    assert 'configuration_values = "{\\"a\\":\\"\\\\u212b\\"}"' in write(order, "terraform")


# --- CloudFormation and the CDK: cfn-lint with the resource's own schema ---------------------------------------------------


@pytest.mark.parametrize("name", ORDERS)
def test_cloudformation_has_nothing_to_say(name: str) -> None:
    from cfnlint.api import lint_all

    found = lint_all(write(ORDERS[name], "cloudformation"))
    assert [str(match) for match in found if match.rule.id[0] in "EW"] == []


def test_cloudformation_is_really_asked() -> None:
    from cfnlint.api import lint_all

    wrong = write(ORDERS["enable"], "cloudformation").replace("ResolveConflicts: PRESERVE", "ResolveConflict: PRESERVE")
    assert "E3002" in {match.rule.id for match in lint_all(wrong)}


@given(VALUES)
def test_cloudformation_reads_every_text_as_it_is(values: dict[str, Any]) -> None:
    read = yaml.safe_load(write(told(values), "cloudformation"))
    assert json.loads(read["Resources"]["VpcCni"]["Properties"]["ConfigurationValues"]) == values


@pytest.mark.parametrize("name", ORDERS)
def test_the_cdk_names_the_properties_of_cloudformation(name: str) -> None:
    template = yaml.safe_load(write(ORDERS[name], "cloudformation"))
    properties = template["Resources"]["VpcCni"]["Properties"]
    lines = write(ORDERS[name], "cdk").splitlines()
    named = [line.strip().partition(":")[0] for line in lines if line.startswith("    ") and line[4:5].isalpha()]
    assert {n[:1].upper() + n[1:] for n in named} == set(properties)


@given(VALUES)
def test_the_cdk_reads_every_text_as_it_is(values: dict[str, Any]) -> None:
    text = write(told(values), "cdk")
    assert json.loads(text.partition("JSON.stringify(")[2].partition("),\n  });")[0]) == values
    assert text.isascii(), "what JSON has is TypeScript as long as it is ASCII"


# --- eksctl: its published schema -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORDERS)
def test_eksctl_knows_the_file(name: str) -> None:
    schema = json.loads((DATA / "eksctl" / "clusterconfig-v0.215.0.json").read_text())
    read = yaml.safe_load(write(ORDERS[name], "eksctl"))
    jsonschema.Draft7Validator(schema).validate(read)
    assert read["metadata"] == {"name": "shop", "region": "eu-west-1"}


@given(VALUES)
def test_eksctl_reads_every_text_as_it_is(values: dict[str, Any]) -> None:
    (entry,) = yaml.safe_load(write(told(values), "eksctl"))["addons"]
    assert json.loads(entry["configurationValues"]) == values


# --- Helm ---------------------------------------------------------------------------------------------------------------


def test_values_are_texts_but_for_the_one_that_is_none() -> None:
    assert yaml.safe_load(write(OF_HELM, "helm-values")) == {
        "enableNetworkPolicy": "true",
        "nodeAgent": {"enabled": True, "enableIpv6": "true", "logLevel": "info", "metricsBindAddr": "9162"},
    }


def test_an_upgrade_of_a_release_changes_its_chart_alone() -> None:
    text = write(HELM_UPGRADE, "helm-values")
    assert yaml.safe_load(text) == {}
    assert "helm upgrade cni eks/aws-vpc-cni -n kube-system --version 1.21.1 --reset-then-reuse-values" in text


def hop(version: str) -> tuple[Step, ...]:
    spec = {"template": {"spec": {"containers": [{"name": "aws-node", "image": f"example.com/amazon-k8s-cni:{version}"}]}}}
    wanted = {**AGENT, "spec": spec}
    bring = Step(id=f"bring-{version}", title=f"Bring it to {version}", action=Apply(wanted), until=Holds(wanted))
    return bring, replace(ROLLING, id=f"roll-out-{version}", title=f"Wait for {version}")


def test_versions_between_which_nodes_roll_are_not_written_together() -> None:
    steps = (*hop("v1.21.2"), *hop("v1.22.4"), *hop("v1.23.0"))
    order = Order(plan(*steps, verb=Verb.UPGRADE, way=Way.MANIFEST))
    text = write(order, "kubectl")
    assert [d["spec"] for d in yaml.safe_load_all(text) if d] == [steps[0].action.object["spec"]]  # type: ignore[union-attr]
    assert "This is the first of several updates" in text
    assert "Wait for v1.22.4" not in text
    chart = write(replace_way(order, Way.HELM), "helm-values")
    assert "--version 1.21.2 " in chart
    assert "the first of 3 upgrades, one minor version at a time: then 1.22.4, 1.23.0." in chart
    assert "Wait for v1.22.4" not in chart


def replace_way(order: Order, way: Way) -> Order:
    return Order(replace(order.plan, way=way), order.addon, order.helm)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True), TEXT, min_size=1, max_size=3))
def test_helm_reads_every_text_as_it_is(env: dict[str, str]) -> None:
    order = Order(plan(way=Way.HELM), values={f"env.{name}": text for name, text in env.items()})
    assert yaml.safe_load(write(order, "helm-values"))["env"] == env


# --- kubectl and the AWS CLI: the shell ------------------------------------------------------------------------------------


def test_documents_are_the_objects_of_the_plan_in_its_order() -> None:
    read = [d for d in yaml.safe_load_all(write(BY_HAND, "kubectl")) if d]
    assert read == [s.action.object for s in BY_HAND.object_steps]  # type: ignore[union-attr]


@a_process_each
@given(VALUES)
def test_the_shell_hands_every_text_on_as_it_is(values: dict[str, Any]) -> None:
    script = write(told(values), "aws-cli")
    done = subprocess.run(["sh", "-c", STUBS + script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    words = done.stderr.decode().split("\0")
    assert json.loads(words[words.index("--configuration-values") + 1]) == values


def test_a_word_for_a_runner_is_none_in_a_document() -> None:
    values = {"a": "##[error]", "b": "\n::error::x"}
    for language in OF_ADDON:
        text = write(told(values), language)
        assert "##[" not in text
        assert not [line for line in text.splitlines() if line.startswith("::")]


def test_names_from_a_cluster_end_no_comment() -> None:
    order = Order(replace(plan(updating(MERGED)), warnings=('one\nresource "evil" "x" {}\x1b[31m',)))
    for language in OF_ADDON:
        lines = write(order, language).splitlines()
        assert [line for line in lines if "evil" in line and not line.startswith(("#", "//"))] == []
        assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("name", ORDERS)
def test_the_script_is_one_for_a_posix_shell(name: str) -> None:
    script = write(ORDERS[name], "aws-cli")
    done = subprocess.run(["sh", "-n", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    updates = [s for s in ORDERS[name].plan.steps if isinstance(s.action, UpdateAddon)]
    assert script.count("aws eks update-addon") == len(updates)


@given(VALUES)
def test_a_document_in_one_line_is_the_document(values: dict[str, Any]) -> None:
    assert json.loads(compact(values)) == values
