"""Who owns which field of an object, and what applying another does to it: server-side apply as a pure function.

`paths` names fields, `structure` knows how each kind divides into them, `sets` finds and compares them, `merging` puts two
objects into one, `managers` keeps the books, and `apply` is the whole. `conflicts`, `holds` and `patch` answer what planning and
executing ask. It is all held to a real API server by ``tests/fields``.
"""
