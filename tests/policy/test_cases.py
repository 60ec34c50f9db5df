from __future__ import annotations

import pytest

from eksnetpol.errors import UsageError
from eksnetpol.operations.policies import check
from eksnetpol.policy.cases import Case, Labelled
from tests.policy import shop

API = Labelled("shop", (("app", "api"),))


@pytest.mark.parametrize(
    ("case", "allowed", "partial", "passed"),
    [
        (Case("a", "shop/web", "shop/api", allow=True, port=8080), True, False, True),
        (Case("a", "shop/web", "shop/api", allow=False, port=8080), True, False, False),
        (Case("a", "shop/web", "shop/db", allow=False, port=5432), False, False, True),
        (Case("a", "shop/web", "shop/api", allow=True), False, True, False),
        (Case("a", "shop/web", "shop/api", allow=False), False, True, False),
        (Case("a", "shop/web", "shop/api", allow=False, protocol="UDP"), False, False, True),
        (Case("a", "shop/web", "shop/api", allow=False, port="8081-9000"), False, False, True),
        (Case("a", "shop/web", API, allow=True, port=8080), True, False, True),
        (Case("a", API, "shop/db", allow=True, port=5432), True, False, True),
        # Two pods with the same labels, and not one that talks to itself.
        (Case("a", API, API, allow=False, port=8080), False, False, True),
        (Case("a", Labelled("later", ()), "shop/db", allow=False, port=5432), False, False, True),
        (Case("a", "shop/solo", "svc:shop/api", allow=False, port="web"), False, False, True),
    ],
)
def test_a_case_holds_when_all_or_nothing_of_it_may_flow(case: Case, allowed: bool, partial: bool, passed: bool) -> None:
    (outcome,) = check([case], shop.world(), shop.VPC_CNI)
    assert (outcome.reply.allowed, outcome.reply.partial, outcome.passed) == (allowed, partial, passed)


def test_a_mistake_names_the_case_and_its_place() -> None:
    wrong = Case("web to nowhere", "shop/web", "shop/nowhere", allow=True, port=1, place="t.yaml:4")
    with pytest.raises(UsageError, match=r"^t\.yaml:4: case 'web to nowhere': there is no workload or pod shop/nowhere"):
        check([wrong], shop.world(), shop.VPC_CNI)


def test_pods_that_do_not_exist_change_nothing_for_those_that_do() -> None:
    asked = [(s, d, p) for s in ("web", "db") for d in ("api", "db") for p in (5432, 8080)]
    real = [Case(f"{s} {d} {p}", f"shop/{s}", f"shop/{d}", allow=True, port=p) for s, d, p in asked]
    alone = check(real, shop.world(), shop.VPC_CNI)
    among = check([*real, Case("x", API, Labelled("bank", (("app", "api"),)), allow=True)], shop.world(), shop.VPC_CNI)
    assert [o.passed for o in alone] == [o.passed for o in among[:-1]]
