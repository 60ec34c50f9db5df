"""Who owns which field of an object, and what applying another does to it: server-side apply as a pure function."""
