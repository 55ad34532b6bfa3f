"""Recordings to transcripts: the recogniser of one utterance, long files, output formats."""
