"""One module for each command or group of commands; `root.COMMANDS` lists them."""
