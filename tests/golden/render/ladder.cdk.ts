// Upgrade the VPC CNI of shop.
// Written by eksnetpol 9.9.9 from a look at shop, for its owner to put in place.
//
// AWS CDK v2, TypeScript: call vpcCni(this) in the stack that has the cluster, in place of its
// CfnAddon for this add-on.
// `cdk diff` must show this one resource and no replacement.
// This is the first of 3 updates, one minor version at a time: then v1.20.5-eksbuild.1,
// v1.21.1-eksbuild.7.
// When it has come through, render again for the next.

import { CfnAddon } from 'aws-cdk-lib/aws-eks';
import { Construct } from 'constructs';

export function vpcCni(scope: Construct): CfnAddon {
  return new CfnAddon(scope, 'VpcCni', {
    clusterName: "shop",
    addonName: "vpc-cni",
    addonVersion: "v1.19.6-eksbuild.7",
    resolveConflicts: "PRESERVE",
    configurationValues: JSON.stringify({
      "enableNetworkPolicy": "true"
    }),
  });
}
