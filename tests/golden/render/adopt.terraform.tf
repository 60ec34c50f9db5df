# Enable network policies on shop.
# Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
#
# Terraform, provider hashicorp/aws: put it in place of your resource for this add-on, under its
# name.
# `terraform plan` must show this one resource to add, and nothing to destroy.
#
# After it, in this order:
# 1. Wait until aws-node has rolled out on 100 nodes
#   kubectl rollout status daemonset/aws-node -n kube-system

resource "aws_eks_addon" "vpc_cni" {
  cluster_name                = "shop"
  addon_name                  = "vpc-cni"
  addon_version               = "v1.20.5-eksbuild.1"
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "PRESERVE"
  preserve                    = true

  configuration_values = jsonencode({
    enableNetworkPolicy = "true"
  })

  pod_identity_association {
    role_arn        = "arn:aws:iam::111122223333:role/vpc-cni"
    service_account = "aws-node"
  }

  tags = {
    team          = "net"
    "cost centre" = "4,2=x"
  }
}
