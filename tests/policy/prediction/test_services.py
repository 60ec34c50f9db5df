"""Which addresses of Services egress opens, at which of their ports: one small test for each rule."""

from __future__ import annotations

import pytest

from tests.policy.prediction.small import API, egress, opened, pod, predicted, service, tcp, world

PODS = [pod("a", "10.0.0.1", ports=["http=8080"])]
EVERYBODY: dict[str, object] = {"podSelector": {}}
ADDRESS = "172.20.0.1"


def of_service(found: dict[str, str]) -> str | None:
    return found.get(ADDRESS)


def test_ingress_opens_no_service() -> None:
    one = {"metadata": {"name": "np", "namespace": "shop"}, "spec": {"podSelector": {}, "ingress": [{"from": [EVERYBODY]}]}}
    assert list(opened(world(PODS, one, services=[service("s", ADDRESS, (80, 8080))]), "ingress")) == ["10.0.0.1"]


def test_services_without_an_address_are_left_out() -> None:
    headless = [service("h", "None", (80, 8080)), service("e", "", (80, 8080))]
    assert list(opened(world(PODS, egress(EVERYBODY), services=headless))) == ["10.0.0.1"]


def test_a_peer_without_labels_means_services_without_a_selector_too() -> None:
    manual = service("s", ADDRESS, (80, 8080), app=None)
    assert of_service(opened(world(PODS, egress(EVERYBODY), services=[manual]))) == "all"
    assert of_service(opened(world(PODS, egress({"podSelector": API}), services=[manual]))) is None


def test_a_label_that_a_service_does_not_select_by_closes_it_though_all_its_pods_bear_it() -> None:
    both = {"podSelector": {"matchLabels": {"app": "api", "tier": "a"}}}
    labelled = pod("a", "10.0.0.1")
    labelled["metadata"]["labels"]["tier"] = "a"
    found = opened(world([labelled], egress(both), services=[service("s", ADDRESS, (80, 8080))]))
    assert found == {"10.0.0.1": "all"}


@pytest.mark.parametrize("operator", ["NotIn", "DoesNotExist"])
def test_a_label_that_is_not_to_be_there_opens_services_that_do_not_select_by_it(operator: str) -> None:
    values = {"values": ["a"]} if operator == "NotIn" else {}
    peer = {"podSelector": {"matchExpressions": [{"key": "tier", "operator": operator, **values}]}}
    assert of_service(opened(world([], egress(peer), services=[service("s", ADDRESS, (80, 8080))]))) == "all"


def test_services_are_looked_for_in_each_namespace_of_the_peer() -> None:
    there = service("s", ADDRESS, (80, 8080), namespace="bank")
    assert of_service(opened(world([], egress(EVERYBODY), services=[there]))) is None
    assert of_service(opened(world([], egress({"namespaceSelector": {}}), services=[there]))) == "all"


def test_without_ports_all_ports_of_the_service_are_open() -> None:
    assert of_service(opened(world(PODS, egress(EVERYBODY), services=[service("s", ADDRESS, (80, 8080))]))) == "all"


def test_a_protocol_alone_is_passed_on() -> None:
    one = egress(EVERYBODY, ports=[{"protocol": "UDP"}])
    assert of_service(opened(world(PODS, one, services=[service("s", ADDRESS, (80, 8080))]))) == "UDP *"


def test_the_first_port_whose_target_is_written_as_the_rule_writes_it_is_open() -> None:
    offers = service("s", ADDRESS, (80, 8080), (8080, 8080), (81, "http"))
    assert of_service(opened(world(PODS, egress(EVERYBODY, ports=[tcp(8080)]), services=[offers]))) == "TCP 80"
    assert of_service(opened(world(PODS, egress(EVERYBODY, ports=[tcp("http")]), services=[offers]))) == "TCP 81"


def test_a_number_leads_by_a_pods_name_for_it_and_a_name_by_its_number() -> None:
    named = service("s", ADDRESS, (80, "http"))
    assert of_service(opened(world(PODS, egress(EVERYBODY, ports=[tcp(8080)]), services=[named]))) == "TCP 80"
    numbered = service("s", ADDRESS, (80, 8080))
    assert of_service(opened(world(PODS, egress(EVERYBODY, ports=[tcp("http")]), services=[numbered]))) == "TCP 80"


def test_pods_behind_count_in_any_phase_and_without_address() -> None:
    finished = [pod("a", ports=["http=8080"], phase="Succeeded")]
    one = egress(EVERYBODY, ports=[tcp("http")])
    assert opened(world(finished, one, services=[service("s", ADDRESS, (80, 8080))])) == {ADDRESS: "TCP 80"}


def test_a_service_without_selector_asks_all_pods_of_its_namespace() -> None:
    one = egress(EVERYBODY, ports=[tcp("http")])
    assert of_service(opened(world(PODS, one, services=[service("s", ADDRESS, (80, 8080), app=None)]))) == "TCP 80"


def test_a_port_that_leads_nowhere_is_dropped_and_with_the_last_one_the_service() -> None:
    offers = service("s", ADDRESS, (80, 8080))
    assert of_service(opened(world(PODS, egress(EVERYBODY, ports=[tcp(9)]), services=[offers]))) is None
    assert of_service(opened(world(PODS, egress(EVERYBODY, ports=[tcp(9), tcp(8080)]), services=[offers]))) == "TCP 80"


def test_a_range_is_laid_on_the_services_port() -> None:
    offers = service("s", ADDRESS, (80, 8080))
    assert of_service(opened(world(PODS, egress(EVERYBODY, ports=[tcp(8080, 8090)]), services=[offers]))) == "TCP 80-8090"
    assert of_service(opened(world(PODS, egress(EVERYBODY, ports=[tcp(8000, 8090)]), services=[offers]))) is None


def test_blocks_open_no_service() -> None:
    block = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    assert list(opened(world(PODS, egress(block), services=[service("s", ADDRESS, (80, 8080))]))) == ["10.0.0.0/8"]


# --- pods that disagree -----------------------------------------------------------------------------------------------


def test_where_pods_disagree_all_answers_are_predicted_and_the_policy_is_undetermined() -> None:
    pods = [pod("a", "10.0.0.1", ports=["http=8080"]), pod("b", "10.0.0.2", ports=["http=9090"])]
    offers = service("s", ADDRESS, (80, 8080), (90, 9090))
    found = predicted(world(pods, egress(EVERYBODY, ports=[tcp("http")]), services=[offers]))
    (doubt,) = found.undetermined
    assert (str(doubt.subject), doubt.place, str(doubt.service), doubt.address) == (
        "networkpolicy/shop/np", "egress[0]", "service/shop/s", ADDRESS,
    )  # fmt: skip
    assert set(doubt.answers) == {(("TCP", 80, None),), (("TCP", 90, None),)}
    assert opened(found.world)[ADDRESS] == "TCP 80"


def test_a_pod_that_does_not_know_leaves_the_answer_to_the_next() -> None:
    pods = [pod("a", "10.0.0.1"), pod("b", "10.0.0.2", ports=["http=8080"])]
    offers = service("s", ADDRESS, (80, 8080))
    found = predicted(world(pods, egress(EVERYBODY, ports=[tcp("http")]), services=[offers]))
    assert found.undetermined == ()


# --- the guard --------------------------------------------------------------------------------------------------------

MIXED = [pod("a", "10.0.0.1", ports=["http=8080"]), pod("b", "10.0.0.2", ports=["http=9090"])]
NAMED = service("s", ADDRESS, (80, "http"))


@pytest.mark.parametrize(
    ("release", "is_open"),
    [("1.1.1", True), ("1.1.2", False), ("1.1.3", False), ("1.1.4", True), ("1.1.5", False), ("1.1.7", False)],
)
def test_a_named_target_that_is_another_number_elsewhere_is_guarded_by_some_releases(release: str, is_open: bool) -> None:
    one = egress({"podSelector": API}, ports=[tcp(8080)])
    assert (of_service(opened(world(MIXED, one, services=[NAMED]), release=release)) is not None) == is_open


@pytest.mark.parametrize("more", [tcp(9090), {"protocol": "TCP"}, tcp(9000, 9100)])
def test_the_guard_is_content_where_the_rule_lists_the_other_number_too(more: dict[str, object]) -> None:
    one = egress({"podSelector": API}, ports=[tcp(8080), more])
    assert "TCP 80" in (of_service(opened(world(MIXED, one, services=[NAMED]))) or "")


def test_named_ports_of_rules_are_not_guarded() -> None:
    one = egress({"podSelector": API}, ports=[tcp("http")])
    assert of_service(opened(world(MIXED, one, services=[NAMED]))) == "TCP 80"


def test_the_guard_looks_at_pods_in_any_phase_and_not_at_those_without_the_name() -> None:
    finished = [MIXED[0], pod("b", ports=["http=9090"], phase="Failed")]
    one = egress({"podSelector": API}, ports=[tcp(8080)])
    assert of_service(opened(world(finished, one, services=[NAMED]))) is None
    assert of_service(opened(world([MIXED[0], pod("c", "10.0.0.3")], one, services=[NAMED]))) == "TCP 80"


@pytest.mark.parametrize(("release", "is_open"), [("1.1.5", False), ("1.1.6", True)])
def test_only_the_first_port_of_the_name_counts_since_1_1_6(release: str, is_open: bool) -> None:
    twice = [pod("a", "10.0.0.1", ports=["http=8080"], more_containers=[["http=9090"]])]
    one = egress({"podSelector": API}, ports=[tcp(8080)])
    assert (of_service(opened(world(twice, one, services=[NAMED]), release=release)) is not None) == is_open
