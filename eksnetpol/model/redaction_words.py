"""Words that tell nothing of whose cluster it is: of Kubernetes, of AWS, and of software that many run.

A name is cut at everything but letters and digits; those of its parts that are in here stay, all others are renamed. So
``aws-node`` and ``kubernetes.io/os`` stay whole, and checks recognise what they know by name.
"""

from __future__ import annotations

import re

WORDS = frozenset(
    """
    256mi 512mi 9g a aarch64 absent access accessdenied account accounts acm active add additionalproperties addon
    addonpermissionfailure addons addr address admin adminnetworkpolicies adminnetworkpolicy admission
    admissionrequestdenied adot advanced advice af agent al2 al2023 alb all allocatable allow allowed alpha also amazon
    amazonaws amazonlinux amazonvpc ambient amd64 an and annotate annotation annotations anp antrea any ap apart api
    apiextensions apigateway apigroups apiregistration apiserver apiservice apiversion apparmor applicationlayer
    applicationnetworkpolicies applicationnetworkpolicy apply apps arch are argo argocd argoproj args arm64 arn arping as
    asked assets assume at attach attached attachments au audit aurora authenticated authenticator authorization auto
    automode autoscaled autoscaler autoscaling autoscalingplans available aws awssupport backup bandwidth banp baseline
    batch be because bedrock been before beta bin bind binding bindings bit blackbox blocker boolean bootstrap bottlerocket
    bottlerocketos bpf bpfenabled branch bridge builtin but by ca cache calico caliconetwork caller can canal capacity capi
    capture catalog cdk central cert certmanager cfg chaining chart check checks cidr cidrs cilium class classes cleanup cli
    client cloud cloudformation cloudtrail cloudwatch cluster clusterip clusternetworkpolicies clusternetworkpolicy
    clusterpolicy clusterpolicyendpoint clusterpolicyendpoints clusterrole clusterrolebinding clusters clusterunreachable cn
    cncf cni cni0 columns com compat compute conf config configmap configmaps configs configurable configuration
    configurationconflict configurationvalues conflicts connection conntrack conntrackcachecleanupperiod
    conntrackcachetablesize constraints container containers control controller controllermanager controllerrevision
    controllers cooldown cooldowns core coredns cpu crd crdmutator crds crdvalidator create createloggroup createlogstream
    creating critical cron cronjob cronjobs crossplane csi custom customresourcedefinition customresourcedefinitions d
    daemon daemonset daemonsets datadog dataplane debug debugging declare default defaultdeny delegation delete deleting
    deletion denied deny deployment deployments describe describeloggroups dev device digests directory disabled discovery
    disk dkr dnat dns does doesnotexist domain driver drop dynamodb east ebpf ebs ec2 ecr edit efs egress eks eksbuild
    eksctl eksnetpol elasticache elasticloadbalancing elb enable enablecloudwatchlogs enabled enableipv6 enablenetworkpolicy
    enablepolicyeventlogs enablewindowsipam endpoint endpoints endpointslice endpointslices enforce enforcementaction
    enforcing engine engines eni eniconfig eniconfigs ens5 env error es etc eth0 eu event events every exclude exclusive
    execute exists exporter external externalname externalsnat fabric facts failed failureaction falco false family fargate
    fatal fd felix felixconfiguration file files finalizer firehose firewall first flannel flanneld flow fluent fluentbit
    flux fluxcd for foregrounddeletion from fs full gadget gatekeeper gateway gcr generation get ghcr global glue goldmane
    gov gp2 gp3 gpu grafana group groups grpc gt guardduty had haproxy has hash hashicorp have headless health
    healthprobebindaddr healthz helm hook host hostname hostnetwork http https hubble hybrid iam id if ignore il image
    images imds in include info ingress ingressclass init initcontainers insights inspektor installation installations
    instance instances instancetype insufficientnumberofreplicas interfaceprefix internal internalip into io ip ipam
    ipamblocks ipamd ipblock ippools iptable iptables ipv ipv4 ipv6 ipvs irsa is iso isovalent istio istioctl istiod it its
    job jobs json k8s k8sresourcenotfound karpenter keda keep kernel key kiali kind kinds kinesis kms kong kube kubeconfig
    kubectl kubelet kubeovn kubeproxy kubernetes kubernetesnetworkpolicy kubeshark kubevirt kustomize kyverno label labels
    lacks lambda latest lb lease leases legacy level lib limit limits linkerd linux linuxdataplane list little live liveness
    livez load loadbalancer local log log4j logging loggroup loglevel logs lt main malformed manage managed manager
    mandatory many master match matchexpressions matchfields max may mcr me memory mesh meta metadata metrics
    metricsbindaddr min mirror missing mode modules monitor mount multi multus must mutating mutatingwebhookconfiguration mx
    name namespace namespaced namespaces namespaceselector nat net network networking networkpolicies networkpolicy
    networkpolicyagentlogfilelocation networkpolicyonly networks never nft nftables nginx nic nicconfig nlb nobody node
    nodeaffinity nodeagent nodeclass nodegroup nodelocal nodelocaldns nodepool nodepools nodes nodeselectorterms none north
    northeast northwest not nothing notin now nth null number nvidia object objects of off oidc on ondelete one only
    oomkilled op openshift opentelemetry operations operator operators opt options or org origins orphan os otel other
    others output over overlay override overwrite ovn ovs own owner panic partial partition patch path pause pending period
    permission permissive pin pinned pins pixie placement plugin pod podinfo podmonitor pods podselector policies policy
    policyendpoint policyendpoints port ports prefix preflight preserve priority privileged probe proc profile projectcalico
    prometheus properties protect provider proxy prune public pull pulumi putlogevents quay query rancher rbac rds readiness
    readyz recommended redshift refused region registry rekognition release releases replace replacement replica replicaset
    replicationcontroller required requiredduringschedulingignoredduringexecution reset residue resolve resolver resource
    resources restore restricted retina reuse role roles rollout romana root route route53 routed router routing rules run
    runtime s3 sa sagemaker sandbox sbin scheduler scheme scope scrapers secret secrets secretsmanager section security
    securitygroup securitygrouppolicies securitygrouppolicy select selector selects server service serviceaccount
    serviceaccounts serviceaccountselector servicemonitor servicemonitors services set settings severity sg sh shared shield
    side sidecar sigs since size skip skipped snapshot snapshotter snat sns so sock socket source south southeast southwest
    spec spiffe spinnaker spire split splunk spot sqs src ssm standard state statefulset statefulsets static status stderr
    stdout storage strict sts subnet succeeded surrogatepass svc sync sys sysctl sysdig sysfs system table target tc tcp tcx
    telemetry teleport temp template terraform text than that the their them then there these they this tier tiers tigera
    tls tmp to toml too toolkit topology trace tracking traefik traffic trafficencapmode true tunnel txt type typha ubuntu
    udp unauthenticated unknown unmanaged unread unreadable unset unsupportedaddonmodification until up update updating
    upgrade us user usr utf v1 v1alpha1 v4 v6 validate validatingadmissionpolicy validatingadmissionpolicybinding
    validatingwebhookconfiguration validationfailureaction value values var velero verbs version versions veth vethprefix
    volume vpa vpc vpce vpcresources vxlan w waf waive waivers warn warning was watch weave web webhook webhookconfiguration
    webhooks were west what when where which whisker who why will windows windows2019 windows2022 with without workload
    would www x86 xdp xray xtables yaml yes z0 za zone ztunnel
    """.split()  # noqa: SIM905 - a text is read, a list of a thousand strings is not
)
"""Parts of names that stay, in lower case."""

PATTERN = re.compile(
    r"\d{1,5}"
    r"|\d[a-f]"  # zones: us-west-2a
    r"|v\d+(?:(?:alpha|beta|rc)\d+)?"  # versions: v1beta1
    r"|rc\d+"
    r"|\d{1,6}(?:[kKMGTPEmn]i?|ms|us|[smhd])"  # quantities: 250m, 512Mi, 30s
)
"""Parts that stay by their form."""

KEYS = frozenset(
    """
    app application chart component configuration control-plane controller-revision-hash controller-uid customer date env
    environment heritage istio-injection job-name k8s-app layer lifecycle name owner part-of pod-template-generation
    pod-template-hash project purpose release role run stage statefulset.kubernetes.io/pod-name team tenant tier track type
    version workload zone
    """.split()  # noqa: SIM905 - as above
)
"""Keys of labels that stay; so do those below a domain that everybody uses (`DOMAINS`)."""

DOMAINS = (
    "kubernetes.io",
    "k8s.io",
    "x-k8s.io",
    "k8s.aws",
    "amazonaws.com",
    "helm.sh",
    "projectcalico.org",
    "tigera.io",
    "cilium.io",
    "antrea.io",
    "istio.io",
    "linkerd.io",
    "argoproj.io",
    "fluxcd.io",
    "velero.io",
    "karpenter.sh",
    "eksctl.io",
    "prometheus.io",
    "coreos.com",
    "cncf.io",
    "kyverno.io",
    "gatekeeper.sh",
    "cert-manager.io",
    "eksnetpol.io",
    "kubebuilder.io",
    "knative.dev",
)
"""Domains of keys and API groups that stay, with all below them."""

AS_THEY_ARE = re.compile(
    r"(?:beta\.)?kubernetes\.io/(?:os|arch|instance-type)"
    r"|(?:topology|node|node-role|pod-security|failure-domain\.beta)\.kubernetes\.io/.*"
    r"|app\.kubernetes\.io/(?:managed-by|version)"
    r"|helm\.sh/resource-policy"
    r"|eks\.amazonaws\.com/(?:compute-type|capacityType|sku|container-type)"
    r"|argocd\.argoproj\.io/(?:sync-options|compare-options|hook|sync-wave)"
    r"|kustomize\.toolkit\.fluxcd\.io/(?:prune|reconcile|ssa|force)"
    r"|karpenter\.(?:sh|k8s\.aws)/(?:capacity-type|initialized|registered|instance-.*)"
    r"|kubernetes\.io/(?:in|e)gress-bandwidth"
    r"|(?:sidecar\.)?istio\.io/(?:inject|dataplane-mode|rev)|istio-injection|linkerd\.io/inject"
)
"""Keys whose values are of a fixed vocabulary, and stay."""
