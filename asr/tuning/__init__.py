"""Decoder settings found on a development set."""
