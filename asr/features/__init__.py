"""Samples to normalised log-mel frames."""
