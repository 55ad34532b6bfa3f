"""Corpora as they come, to manifests: what a data set holds and what had to be left out."""
