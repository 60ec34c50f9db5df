"""The verbs of the library: a value in, a value out, so that everything the command line does can be done without it."""
