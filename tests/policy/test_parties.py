from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksnetpol.errors import UsageError
from eksnetpol.policy.answers import Addresses, Pods, ServiceAddress
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.parties import Directory, planned, pods_of, resolve
from eksnetpol.policy.profile import Profile
from tests.policy import shop

ENGINE = shop.engine()


def names(text: str) -> set[str]:
    return {p.name for p in pods_of(resolve(text, ENGINE).party, ENGINE.atlas)}


@pytest.mark.parametrize(
    ("text", "title", "pods"),
    [
        ("shop/web", "shop/Deployment/web", {"web-5d4f-a", "web-5d4f-b"}),
        ("shop/deploy/web", "shop/Deployment/web", {"web-5d4f-a", "web-5d4f-b"}),
        ("shop/Deployment/web", "shop/Deployment/web", {"web-5d4f-a", "web-5d4f-b"}),
        ("shop/web-5d4f-a", "shop/Pod/web-5d4f-a", {"web-5d4f-a"}),
        ("shop/po/web-5d4f-b", "shop/Pod/web-5d4f-b", {"web-5d4f-b"}),
        ("shop/solo", "shop/Pod/solo", {"solo"}),
        ("shop/Pod/solo", "shop/Pod/solo", {"solo"}),
        ("bank/api", "bank/StatefulSet/api", {"api-0"}),
        ("shop/deployment/other", "shop/Deployment/other", {"twin"}),
        ("10.0.3.1", "shop/Pod/db-0", {"db-0"}),
        ("10.0.3.1/32", "shop/Pod/db-0", {"db-0"}),
    ],
)
def test_pods_go_by_the_names_that_people_type(text: str, title: str, pods: set[str]) -> None:
    found = resolve(text, ENGINE)
    assert found.title == title
    assert isinstance(found.party, Pods)
    assert names(text) == pods


def test_an_address_is_who_has_it_and_says_so() -> None:
    assert resolve("10.0.3.1", ENGINE).notes == ("10.0.3.1 is the address of the pod shop/db-0",)
    service = resolve("10.100.0.7", ENGINE)
    assert isinstance(service.party, ServiceAddress)
    assert (service.title, service.notes) == ("svc:shop/api", ("10.100.0.7 is the ClusterIP of the Service shop/api",))
    node = resolve("10.0.0.1", ENGINE)
    assert node.party == Addresses("10.0.0.1/32", "10.0.0.1")
    assert node.notes == ("10.0.0.1 is the address of the node node-a",)
    assert resolve("192.0.2.9", ENGINE).party == Addresses("192.0.2.9/32", "192.0.2.9")
    assert resolve("2001:db8::9", ENGINE).party == Addresses("2001:db8::9/128", "2001:db8::9")
    assert resolve("10.0.5.2", ENGINE).notes == (), "a finished pod has its address no longer"


def test_blocks_and_the_internet_are_addresses() -> None:
    assert resolve("10.0.0.0/8", ENGINE).party == Addresses("10.0.0.0/8", "10.0.0.0/8")
    wide = resolve("10.1.2.3/8", ENGINE)
    assert (wide.title, wide.notes) == ("10.0.0.0/8", ("10.1.2.3/8 is read as 10.0.0.0/8",))
    everywhere = resolve("internet", ENGINE).party
    assert isinstance(everywhere, Addresses)
    assert everywhere.cidr == "0.0.0.0/0"
    assert "10.0.0.0/8" in everywhere.without
    sixth = build_engine(shop.world(), Profile(family="ipv6"))
    assert getattr(resolve("internet", sixth).party, "cidr", "") == "::/0"


@pytest.mark.parametrize("text", ["svc:shop/api", "shop/svc/api", "shop/Service/api"])
def test_a_service_is_its_cluster_address(text: str) -> None:
    found = resolve(text, ENGINE)
    assert isinstance(found.party, ServiceAddress)
    assert found.title == "svc:shop/api"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shop/wep", "there is no workload or pod shop/wep; did you mean shop/Deployment/web?"),
        ("bank/db", "there is no workload or pod bank/db; there is shop/StatefulSet/db"),
        ("bank/silent", "there is no workload or pod bank/silent; bank has api"),
        ("shop/silent", "there is no workload or pod shop/silent; there is svc:shop/silent"),
        ("shopp/zzz", "there is no namespace shopp; did you mean shop?"),
        ("shop/", "'shop/' names nothing; expected NAMESPACE/NAME"),
        ("a/b/c/d", "'a/b/c/d' names nothing"),
        ("", "'' names nothing"),
        ("shop/twin", "shop/twin could be shop/StatefulSet/twin or shop/Pod/twin; say which"),
        ("shop/Deployment/db", "there is no Deployment shop/db; there is shop/StatefulSet/db"),
        ("shop/pod/web", "there is no pod shop/web; there is shop/Deployment/web"),
        ("shop/done", "the pod shop/done has finished (Succeeded); nothing reaches it any more"),
        ("svc:shop/apii", "there is no Service shop/apii; did you mean svc:shop/api?"),
        ("svc:shop/silent", "svc:shop/silent: the Service shop/silent is headless, so it has no ClusterIP; ask for its pods"),
        ("10.0.0.300", "'10.0.0.300' is no address"),
        ("10.0.0.0/33", "'10.0.0.0/33' is no CIDR; expected an address and the length of its prefix"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_told_with_what_is_near(text: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        resolve(text, ENGINE)
    assert str(raised.value).startswith(words)


def test_a_bare_name_is_told_where_it_is() -> None:
    with pytest.raises(UsageError, match=r"^'web' names nothing; expected NAMESPACE/NAME, .*; did you mean shop/web\?$"):
        resolve("web", ENGINE)


def test_pods_that_do_not_exist_yet_are_asked_about_by_their_labels() -> None:
    new = planned([("shop", {"app": "api"}), ("later", {}), ("shop", {"app": "api"})], shop.world())
    assert [one.title for one in new] == ["shop/{app=api}", "later/{without labels}"]
    engine = build_engine(shop.world(), shop.VPC_CNI, [one.pod for one in new])
    directory = Directory(engine, new)
    found = directory.labelled("shop", {"app": "api"})
    assert found.notes == ()
    assert engine.connections(directory.party("shop/web").party, found.party).every["TCP"].intervals == ((8080, 8080),)
    assert directory.labelled("later", {}).notes == ("there is no namespace later yet",)
    with pytest.raises(UsageError, match="there is no workload or pod shop/planned1"):
        directory.party("shop/planned1")


def test_planned_pods_share_their_beginning_with_none_that_exists() -> None:
    taken = shop.world(pods=(*shop.world().pods, planned([("shop", {})], shop.world())[0].pod))
    assert planned([("shop", {"x": "y"})], taken)[0].name == "planned2"


@given(st.text(max_size=30))
@settings(max_examples=300)
def test_any_text_means_something_or_is_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert resolve(text, ENGINE).title
