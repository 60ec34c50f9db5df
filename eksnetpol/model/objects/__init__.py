"""The kinds of Kubernetes, a drawer each. `model/kubernetes.py` is where they are asked for."""
