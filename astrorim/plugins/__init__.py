"""Hooks, registries and the manager that fills them from installed plugins."""
