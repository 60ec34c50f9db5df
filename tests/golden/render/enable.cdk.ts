// Turn network policy on in shop by its managed add-on.
// Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
//
// AWS CDK v2, TypeScript: call vpcCni(this) in the stack that has the cluster, in place of its
// CfnAddon for this add-on.
// `cdk diff` must show this one resource and no replacement.
//
// The agent is v1.2.7.
// Mind: WARM_IP_TARGET was set by hand
//
// After it, in this order:
// 1. the controller's switch is on
// 2. every node runs the new template
//   kubectl rollout status daemonset/aws-node -n kube-system
//
// eksnetpol status --cluster shop says whether it is on

import { CfnAddon } from 'aws-cdk-lib/aws-eks';
import { Construct } from 'constructs';

export function vpcCni(scope: Construct): CfnAddon {
  return new CfnAddon(scope, 'VpcCni', {
    clusterName: "shop",
    addonName: "vpc-cni",
    addonVersion: "v1.20.5-eksbuild.1",
    resolveConflicts: "PRESERVE",
    configurationValues: JSON.stringify({
      "enableNetworkPolicy": "true",
      "env": {
        "WARM_IP_TARGET": "5"
      },
      "nodeAgent": {
        "logLevel": "info"
      }
    }),
    serviceAccountRoleArn: "arn:aws:iam::111122223333:role/vpc-cni",
  });
}
