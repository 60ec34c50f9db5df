"""Workloads whose pods a policy treats otherwise than their owner may think."""
