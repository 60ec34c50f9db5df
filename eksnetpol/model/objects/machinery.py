"""Definitions, RBAC, admission, aggregation, and objects of other people's kinds."""

from __future__ import annotations

from typing import Any

import msgspec

from eksnetpol.model.objects.metadata import ApiObject, ObjectMeta
from eksnetpol.model.objects.nodes import Condition
from eksnetpol.model.selectors import LabelSelector


class CrdNames(ApiObject, frozen=True):
    """Names of a custom resource."""

    plural: str = ""
    kind: str = ""


class CrdVersion(ApiObject, frozen=True):
    """A version of a custom resource."""

    name: str = ""
    served: bool = False
    storage: bool = False


class CrdSpec(ApiObject, frozen=True):
    """What a CustomResourceDefinition defines. ``schema_digest`` is filled at the door for ``networking.k8s.aws``."""

    group: str = ""
    names: CrdNames = CrdNames()
    scope: str = ""
    versions: tuple[CrdVersion, ...] = ()
    schema_digest: str = ""


class CrdStatus(ApiObject, frozen=True):
    """Whether it is served."""

    conditions: tuple[Condition, ...] = ()


class CustomResourceDefinition(ApiObject, frozen=True):
    """A CustomResourceDefinition without its schemas."""

    metadata: ObjectMeta
    spec: CrdSpec = CrdSpec()
    status: CrdStatus = CrdStatus()

    @property
    def name(self) -> str:
        """Its name, ``plural.group``."""
        return self.metadata.name

    @property
    def is_established(self) -> bool:
        """True when the API server serves it."""
        return any(c.type == "Established" and c.status == "True" for c in self.status.conditions)


class PolicyRule(ApiObject, frozen=True):
    """A rule of RBAC."""

    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    non_resource_ur_ls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")


class ClusterRole(ApiObject, frozen=True):
    """A ClusterRole that is read by name."""

    metadata: ObjectMeta
    rules: tuple[PolicyRule, ...] = ()


class RoleRef(ApiObject, frozen=True):
    """The role a binding grants."""

    kind: str = ""
    name: str = ""


class RbacSubject(ApiObject, frozen=True):
    """Who a binding grants it to."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class ClusterRoleBinding(ApiObject, frozen=True):
    """A ClusterRoleBinding that is read by name."""

    metadata: ObjectMeta
    role_ref: RoleRef = RoleRef()
    subjects: tuple[RbacSubject, ...] = ()


class WebhookServiceRef(ApiObject, frozen=True):
    """The Service a webhook or an APIService is served by."""

    namespace: str = ""
    name: str = ""
    port: int = 443


class WebhookClientConfig(ApiObject, frozen=True):
    """How the API server reaches a webhook."""

    service: WebhookServiceRef | None = None
    url: str = ""


class WebhookRule(ApiObject, frozen=True):
    """What a webhook or an admission policy is asked about."""

    api_groups: tuple[str, ...] = ()
    api_versions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    scope: str = ""


class Webhook(ApiObject, frozen=True):
    """One webhook of a configuration."""

    name: str = ""
    failure_policy: str = "Fail"
    rules: tuple[WebhookRule, ...] = ()
    namespace_selector: LabelSelector = LabelSelector()
    object_selector: LabelSelector = LabelSelector()
    match_conditions: tuple[dict[str, str], ...] = ()
    client_config: WebhookClientConfig = WebhookClientConfig()


class WebhookConfiguration(ApiObject, frozen=True):
    """A validating or mutating webhook configuration; ``kind`` is filled at the door."""

    metadata: ObjectMeta
    kind: str = ""
    webhooks: tuple[Webhook, ...] = ()


class MatchConstraints(ApiObject, frozen=True):
    """What an admission policy is asked about."""

    resource_rules: tuple[WebhookRule, ...] = ()
    exclude_resource_rules: tuple[WebhookRule, ...] = ()
    namespace_selector: LabelSelector = LabelSelector()
    object_selector: LabelSelector = LabelSelector()


class AdmissionPolicySpec(ApiObject, frozen=True):
    """A ValidatingAdmissionPolicy's spec as far as it can block."""

    failure_policy: str = "Fail"
    match_constraints: MatchConstraints = MatchConstraints()
    match_conditions: tuple[dict[str, str], ...] = ()


class AdmissionPolicy(ApiObject, frozen=True):
    """A ValidatingAdmissionPolicy."""

    metadata: ObjectMeta
    spec: AdmissionPolicySpec = AdmissionPolicySpec()


class AdmissionPolicyBindingSpec(ApiObject, frozen=True):
    """Which policy a binding puts in force, and how."""

    policy_name: str = ""
    validation_actions: tuple[str, ...] = ()
    match_resources: MatchConstraints = MatchConstraints()


class AdmissionPolicyBinding(ApiObject, frozen=True):
    """A ValidatingAdmissionPolicyBinding."""

    metadata: ObjectMeta
    spec: AdmissionPolicyBindingSpec = AdmissionPolicyBindingSpec()


class ApiServiceSpec(ApiObject, frozen=True):
    """An aggregated API: ``service`` is None for those the API server itself serves."""

    group: str = ""
    version: str = ""
    service: WebhookServiceRef | None = None


class ApiServiceStatus(ApiObject, frozen=True):
    """Whether it answers."""

    conditions: tuple[Condition, ...] = ()


class ApiService(ApiObject, frozen=True):
    """An APIService."""

    metadata: ObjectMeta
    spec: ApiServiceSpec = ApiServiceSpec()
    status: ApiServiceStatus = ApiServiceStatus()


class CustomObject(ApiObject, frozen=True):
    """An object of somebody else's kind, with as much of its spec as the checks look at."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, Any] = msgspec.field(default_factory=dict)
    status: dict[str, Any] = msgspec.field(default_factory=dict)


class KindCount(ApiObject, frozen=True):
    """How many objects of a kind there are, and the first few by name; for kinds whose content decides nothing here."""

    group: str
    kind: str
    plural: str
    count: int
    examples: tuple[str, ...] = ()


class AccessReview(ApiObject, frozen=True):
    """The API server's answer to: may this user do that?"""

    user: str
    verb: str
    allowed: bool
    group: str = ""
    resource: str = ""
    path: str = ""
    reason: str = ""
