"""Flow logs by format: pure functions on lines of text. `gateways/flow_files.py` opens files and chooses."""
