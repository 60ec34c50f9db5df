"""The command line: parse, call one operation, print, exit.

`entry.run` is the way in, `root` the list of commands. A command's module is imported when the command is called, and what the
command needs (an SDK, rich, the models) inside the function that needs it: `--help`, `--version` and completion stay instant.
"""
