"""The one exception that users see."""


class AsrError(Exception):
    """Something the user can mend.

    Its text is one sentence that names what is wrong, the file or key it is wrong with, and what
    to do; the command line prints it after ``asr: `` and exits non-zero, without a traceback.
    """

    exit_status = 1
