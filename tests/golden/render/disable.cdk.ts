// Disable.
// Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
//
// AWS CDK v2, TypeScript: call vpcCni(this) in the stack that has the cluster, in place of its
// CfnAddon for this add-on.
// `cdk diff` must show this one resource and no replacement.
//
// Before it, in this order:
// 1. Back up 3 policies
//   kubectl get networkpolicies.networking.k8s.io -A -o json > networkpolicies.networking.k8s.io.policies.json
// 2. Delete 3 policies
//   kubectl delete networkpolicies.networking.k8s.io -n shop allow-api default-deny
//   kubectl delete networkpolicies.networking.k8s.io -n bank 'it'"'"'s mine'
//   until [ -z "$(kubectl get networkpolicies.networking.k8s.io -A -o name)" ]; do sleep 2; done
// 3. See that the controller has taken back its endpoints
//   kubectl delete policyendpoints.networking.k8s.aws -A --all
//   until [ -z "$(kubectl get policyendpoints.networking.k8s.aws -A -o name)" ]; do sleep 2; done
//
// After it, in this order:
// 1. Wait until aws-node has rolled out on 100 nodes
//   kubectl rollout status daemonset/aws-node -n kube-system
// 2. Free what is left
//   kubectl patch networkpolicies.networking.k8s.io allow-api -n shop --type=json -p '[{"op":"test","path":"/metadata/finalizers","value":["networking.k8s.aws/resources"]},{"op":"remove","path":"/metadata/finalizers"}]'
//
// recycle the nodes

import { CfnAddon } from 'aws-cdk-lib/aws-eks';
import { Construct } from 'constructs';

export function vpcCni(scope: Construct): CfnAddon {
  return new CfnAddon(scope, 'VpcCni', {
    clusterName: "shop",
    addonName: "vpc-cni",
    addonVersion: "v1.20.5-eksbuild.1",
    resolveConflicts: "OVERWRITE",
    configurationValues: JSON.stringify({
      "enableNetworkPolicy": "false"
    }),
  });
}
