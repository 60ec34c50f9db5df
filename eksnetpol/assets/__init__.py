"""The files that ship with the package, as values: release data, templates and IAM documents."""
