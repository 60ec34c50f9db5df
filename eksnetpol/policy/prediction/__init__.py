"""Exactly the PolicyEndpoint and ClusterPolicyEndpoint objects that AWS's network policy controller writes."""
