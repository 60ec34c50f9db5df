#!/bin/sh
# Turn network policy on in shop by its managed add-on.
# Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
#
# AWS CLI and kubectl, for a POSIX shell: read it, then run it with credentials that may change the
# add-on.
#
# The agent is v1.2.7.
# Mind: WARM_IP_TARGET was set by hand
set -eu

# 1. Give the add-on vpc-cni v1.20.5-eksbuild.1 its configuration
update=$(aws eks update-addon --region eu-west-1 --cluster-name shop \
  --addon-name vpc-cni \
  --addon-version v1.20.5-eksbuild.1 \
  --configuration-values '{"enableNetworkPolicy":"true","env":{"WARM_IP_TARGET":"5"},"nodeAgent":{"logLevel":"info"}}' \
  --resolve-conflicts PRESERVE \
  --service-account-role-arn arn:aws:iam::111122223333:role/vpc-cni \
  --query update.id \
  --output text)
state=InProgress
while [ "$state" = InProgress ]; do
  sleep 5
  state=$(aws eks describe-update --region eu-west-1 --name shop --addon-name vpc-cni --update-id "$update" --query update.status --output text)
done
if [ "$state" != Successful ]; then
  aws eks describe-update --region eu-west-1 --name shop --addon-name vpc-cni --update-id "$update" --query update.errors --output json >&2
  exit 1
fi
aws eks wait addon-active --region eu-west-1 --cluster-name shop --addon-name vpc-cni

# 2. the controller's switch is on

# 3. every node runs the new template
kubectl rollout status daemonset/aws-node -n kube-system

# eksnetpol status --cluster shop says whether it is on
