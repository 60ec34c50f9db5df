"""Policies of any dialect in one tongue: ordered tiers of policies of rules, with peers as formulas. Read by `engines/`."""
