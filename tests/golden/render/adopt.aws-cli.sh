#!/bin/sh
# Enable network policies on shop.
# Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
#
# AWS CLI and kubectl, for a POSIX shell: read it, then run it with credentials that may change the
# add-on.
set -eu

# 1. Let EKS manage vpc-cni v1.20.5-eksbuild.1
aws eks create-addon --region eu-west-1 --cluster-name shop \
  --addon-name vpc-cni \
  --addon-version v1.20.5-eksbuild.1 \
  --configuration-values '{"enableNetworkPolicy":"true"}' \
  --resolve-conflicts OVERWRITE \
  --pod-identity-associations serviceAccount=aws-node,roleArn=arn:aws:iam::111122223333:role/vpc-cni \
  --tags '{"cost centre":"4,2=x","team":"net"}' \
  --output json
aws eks wait addon-active --region eu-west-1 --cluster-name shop --addon-name vpc-cni

# 2. Wait until aws-node has rolled out on 100 nodes
kubectl rollout status daemonset/aws-node -n kube-system
