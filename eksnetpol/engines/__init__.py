"""One module per enforcement engine, each with one declaration ``ENGINE``: how it is recognised, and how it works.

A CustomResourceDefinition never proves an engine: they outlive an uninstall. What runs proves it.
"""
