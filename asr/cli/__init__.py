"""The commands of the command line, one module for each: its options, and what it does.

Nothing heavy is imported before a command runs, so that --help answers at once.
"""
