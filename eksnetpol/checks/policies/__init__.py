"""What policies say, against what the VPC CNI makes of it."""
