"""Corpora and manifests: reading published layouts and folders, text of language models."""
