# Disable.
# Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
#
# Terraform, provider hashicorp/aws: put it in place of your resource for this add-on, under its
# name.
# `terraform plan` must show this one resource changed in place. If your state does not have it yet:
#   terraform import aws_eks_addon.vpc_cni shop:vpc-cni
#
# Before it, in this order:
# 1. Back up 3 policies
#   kubectl get networkpolicies.networking.k8s.io -A -o json > networkpolicies.networking.k8s.io.policies.json
# 2. Delete 3 policies
#   kubectl delete networkpolicies.networking.k8s.io -n shop allow-api default-deny
#   kubectl delete networkpolicies.networking.k8s.io -n bank 'it'"'"'s mine'
#   until [ -z "$(kubectl get networkpolicies.networking.k8s.io -A -o name)" ]; do sleep 2; done
# 3. See that the controller has taken back its endpoints
#   kubectl delete policyendpoints.networking.k8s.aws -A --all
#   until [ -z "$(kubectl get policyendpoints.networking.k8s.aws -A -o name)" ]; do sleep 2; done
#
# After it, in this order:
# 1. Wait until aws-node has rolled out on 100 nodes
#   kubectl rollout status daemonset/aws-node -n kube-system
# 2. Free what is left
#   kubectl patch networkpolicies.networking.k8s.io allow-api -n shop --type=json -p '[{"op":"test","path":"/metadata/finalizers","value":["networking.k8s.aws/resources"]},{"op":"remove","path":"/metadata/finalizers"}]'
#
# recycle the nodes

resource "aws_eks_addon" "vpc_cni" {
  cluster_name                = "shop"
  addon_name                  = "vpc-cni"
  addon_version               = "v1.20.5-eksbuild.1"
  resolve_conflicts_on_update = "OVERWRITE"

  configuration_values = jsonencode({
    enableNetworkPolicy = "false"
  })
}
