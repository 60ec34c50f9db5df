"""Facts: what the sections of a snapshot mean, worked out once for all who ask.

A fact is a function whose parameters are sections or other facts, declared with `@fact`; its name is what checks and planners
ask for. It is worked out at most once per look, and it is unread when something it needs is unread.
"""
