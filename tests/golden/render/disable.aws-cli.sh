#!/bin/sh
# Disable.
# Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
#
# AWS CLI and kubectl, for a POSIX shell: read it, then run it with credentials that may change the
# add-on.
set -eu

# 1. Back up 3 policies
kubectl get networkpolicies.networking.k8s.io -A -o json > networkpolicies.networking.k8s.io.policies.json

# 2. Delete 3 policies
kubectl delete networkpolicies.networking.k8s.io -n shop allow-api default-deny
kubectl delete networkpolicies.networking.k8s.io -n bank 'it'"'"'s mine'
until [ -z "$(kubectl get networkpolicies.networking.k8s.io -A -o name)" ]; do sleep 2; done

# 3. See that the controller has taken back its endpoints
kubectl delete policyendpoints.networking.k8s.aws -A --all
until [ -z "$(kubectl get policyendpoints.networking.k8s.aws -A -o name)" ]; do sleep 2; done

# 4. Give the add-on vpc-cni v1.20.5-eksbuild.1 its configuration
update=$(aws eks update-addon --region eu-west-1 --cluster-name shop \
  --addon-name vpc-cni \
  --addon-version v1.20.5-eksbuild.1 \
  --configuration-values '{"enableNetworkPolicy":"false"}' \
  --resolve-conflicts OVERWRITE \
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

# 5. Wait until aws-node has rolled out on 100 nodes
kubectl rollout status daemonset/aws-node -n kube-system

# 6. Free what is left
kubectl patch networkpolicies.networking.k8s.io allow-api -n shop --type=json -p '[{"op":"test","path":"/metadata/finalizers","value":["networking.k8s.aws/resources"]},{"op":"remove","path":"/metadata/finalizers"}]'

# recycle the nodes
