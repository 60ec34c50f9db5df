"""Carrying out a plan: step by step, each written down before it acts, until its condition holds. Acts through `Hands` alone."""
