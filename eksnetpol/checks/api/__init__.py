"""CustomResourceDefinitions, RBAC and admission."""
