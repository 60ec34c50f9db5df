# Turn network policy on in shop by its managed add-on.
# Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
#
# Terraform, provider hashicorp/aws: put it in place of your resource for this add-on, under its
# name.
# `terraform plan` must show this one resource changed in place. If your state does not have it yet:
#   terraform import aws_eks_addon.vpc_cni shop:vpc-cni
# The add-on has a Pod Identity association: keep your block pod_identity_association, or it is
# deleted.
#
# The agent is v1.2.7.
# Mind: WARM_IP_TARGET was set by hand
#
# After it, in this order:
# 1. the controller's switch is on
# 2. every node runs the new template
#   kubectl rollout status daemonset/aws-node -n kube-system
#
# eksnetpol status --cluster shop says whether it is on

resource "aws_eks_addon" "vpc_cni" {
  cluster_name                = "shop"
  addon_name                  = "vpc-cni"
  addon_version               = "v1.20.5-eksbuild.1"
  resolve_conflicts_on_update = "PRESERVE"
  service_account_role_arn    = "arn:aws:iam::111122223333:role/vpc-cni"

  configuration_values = jsonencode({
    enableNetworkPolicy = "true"
    env = {
      WARM_IP_TARGET = "5"
    }
    nodeAgent = {
      logLevel = "info"
    }
  })
}
