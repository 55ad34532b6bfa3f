"""Recipes: the schema of all settings, and how a YAML file and key=value settings become one."""
