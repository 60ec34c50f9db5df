#!/bin/sh
# Upgrade the VPC CNI of shop.
# Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
#
# AWS CLI and kubectl, for a POSIX shell: read it, then run it with credentials that may change the
# add-on.
set -eu

# 1. Give the add-on vpc-cni v1.19.6-eksbuild.7 its configuration
update=$(aws eks update-addon --region eu-west-1 --cluster-name shop \
  --addon-name vpc-cni \
  --addon-version v1.19.6-eksbuild.7 \
  --configuration-values '{"enableNetworkPolicy":"true"}' \
  --resolve-conflicts PRESERVE \
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

# 2. Give the add-on vpc-cni v1.20.5-eksbuild.1 its configuration
update=$(aws eks update-addon --region eu-west-1 --cluster-name shop \
  --addon-name vpc-cni \
  --addon-version v1.20.5-eksbuild.1 \
  --configuration-values '{"enableNetworkPolicy":"true"}' \
  --resolve-conflicts PRESERVE \
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

# 3. Give the add-on vpc-cni v1.21.1-eksbuild.7 its configuration
update=$(aws eks update-addon --region eu-west-1 --cluster-name shop \
  --addon-name vpc-cni \
  --addon-version v1.21.1-eksbuild.7 \
  --configuration-values '{"enableNetworkPolicy":"true"}' \
  --resolve-conflicts PRESERVE \
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
