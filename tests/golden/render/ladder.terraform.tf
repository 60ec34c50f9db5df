# Upgrade the VPC CNI of shop.
# Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
#
# Terraform, provider hashicorp/aws: put it in place of your resource for this add-on, under its
# name.
# `terraform plan` must show this one resource changed in place. If your state does not have it yet:
#   terraform import aws_eks_addon.vpc_cni shop:vpc-cni
# This is the first of 3 updates, one minor version at a time: then v1.20.5-eksbuild.1,
# v1.21.1-eksbuild.7.
# When it has come through, render again for the next.

resource "aws_eks_addon" "vpc_cni" {
  cluster_name                = "shop"
  addon_name                  = "vpc-cni"
  addon_version               = "v1.19.6-eksbuild.7"
  resolve_conflicts_on_update = "PRESERVE"

  configuration_values = jsonencode({
    enableNetworkPolicy = "true"
  })
}
