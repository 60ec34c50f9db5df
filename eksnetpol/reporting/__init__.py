"""Speaking: a report in, text out; one module for each way of speaking (`formats.py` names them)."""
