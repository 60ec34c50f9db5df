// Enable network policies on shop.
// Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
//
// AWS CDK v2, TypeScript: call vpcCni(this) in the stack that has the cluster, in place of its
// CfnAddon for this add-on.
// `cdk diff` must show this one resource and no replacement.
//
// After it, in this order:
// 1. Wait until aws-node has rolled out on 100 nodes
//   kubectl rollout status daemonset/aws-node -n kube-system

import { CfnAddon } from 'aws-cdk-lib/aws-eks';
import { Construct } from 'constructs';

export function vpcCni(scope: Construct): CfnAddon {
  return new CfnAddon(scope, 'VpcCni', {
    clusterName: "shop",
    addonName: "vpc-cni",
    addonVersion: "v1.20.5-eksbuild.1",
    resolveConflicts: "OVERWRITE",
    configurationValues: JSON.stringify({
      "enableNetworkPolicy": "true"
    }),
    preserveOnDelete: true,
    podIdentityAssociations: [
      {
        "roleArn": "arn:aws:iam::111122223333:role/vpc-cni",
        "serviceAccount": "aws-node"
      }
    ],
    tags: [
      {
        "key": "cost centre",
        "value": "4,2=x"
      },
      {
        "key": "team",
        "value": "net"
      }
    ],
  });
}
