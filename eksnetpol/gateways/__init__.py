"""The outside world: the only package that talks to AWS, to an API server and to files.

`session.connect` makes the doors, `collect.collect` looks through them once. Each verb declares what it needs
(`permits.needs`), and nothing leaves through an undeclared one.
"""
