#!/bin/sh
# What eksnetpol says of six clusters, and what it would do to one of them. The snapshots in clusters/ were taken live from the scenarios under tests/scenarios/.
# Every act is shown as a person would type it; findings end a command with 1, which ends nothing here.
set -u
tool=${1:-eksnetpol}
here=$(dirname "$0")
width=${COLUMNS:-100}

act() {
    printf '\n\n=== %s\n\n$ %s\n\n' "$1" "eksnetpol $2"
    # shellcheck disable=SC2086 # the words of a command
    "$tool" $2 ${3:-} 2>&1
    code=$?
    printf '\n(exit code %s)\n' "$code"
    if [ "$code" -ne 0 ] && [ "$code" -ne 1 ] && [ "$code" -ne 3 ]; then exit "$code"; fi
}

cluster() { act "$1" "preflight --snapshot $here/clusters/$2.json.gz" "--width $width"; }

cluster "A cluster whose managed add-on is ready" ready
cluster "The retail store, policed by Calico today" retail-store-calico
cluster "An IPv6 cluster" ipv6
cluster "An old cluster: Kubernetes 1.24, VPC CNI 1.12" old
cluster "Fargate, Windows and Auto Mode beside EC2 nodes" mixed
act "What the policies of the ready cluster let through" "policy matrix --snapshot $here/clusters/ready.json.gz" "--width $width"
act "Which rule decides, and which one is missing" \
    "policy explain boutique/loadgenerator boutique/cartservice 7070 --snapshot $here/clusters/ready.json.gz" "--width $width"
act "What happens to the retail store the second enforcement goes on" \
    "policy simulate --snapshot $here/clusters/retail-store-calico.json.gz" "--width $width"
act "What leaving Calico would mean for the retail store" \
    "migrate assess --snapshot $here/clusters/retail-store-calico.json.gz" "--width $width"
act "Its policies as NetworkPolicies, with a verdict on every rule" \
    "migrate translate --snapshot $here/clusters/retail-store-calico.json.gz" "--width $width"
act "The retail store leaves Calico, on a copy in memory: one of its policies would let more through than Calico did" \
    "migrate rehearse --cleaner-image registry.example/cleaner --snapshot $here/clusters/retail-store-calico.json.gz" "--width $width"
act "Its owner takes that on by name, and it goes well: who enforces, and what flows, at every moment" \
    "migrate rehearse --cleaner-image registry.example/cleaner --snapshot $here/clusters/retail-store-calico.json.gz" \
    "--waive networkpolicy/ui/allow-ui-egress=shop,2999-12-31,nodes-are-ours --width $width"
cluster "A cluster that waits: the add-on is healthy, network policy is off, policies are there" dormant
act "Turning it on: the plan" "enable --snapshot $here/clusters/dormant.json.gz --plan" "--width $width"
act "The plan carried out on a copy of that cluster in memory" \
    "enable --snapshot $here/clusters/dormant.json.gz --simulate -o markdown=/dev/null" "--width $width"
act "The same change, for whoever keeps the cluster in Terraform" \
    "render enable --as terraform --snapshot $here/clusters/dormant.json.gz"
act "What is on, after all, in the ready cluster" "status --snapshot $here/clusters/ready.json.gz" "--width $width"
act "Why one of these checks is asked" "checks explain no-other-engine-enforces"
printf '\n\nThe same from files, as a pipeline would: %s preflight --manifests YOUR-FOLDER\n' "eksnetpol"
