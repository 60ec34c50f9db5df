"""Nouns. Frozen values, decoded at the door and trusted afterwards; no I/O, no SDKs, no opinions."""
