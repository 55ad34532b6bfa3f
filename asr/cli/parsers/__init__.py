"""The command line's grammar: a module for each command, with its options and its implementation.

The default ``run`` of a parser is the dotted name of its implementation, such as
``asr.cli.score:run``, which :mod:`asr.cli.main` imports once the command is chosen. Implementations
therefore import at their top, and this package imports nothing heavy: --help answers at once.
"""
