"""The control plane and the add-on: can this cluster have network policy at all."""
