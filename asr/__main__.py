"""``python -m asr`` is the command line."""

import sys

from asr.cli.main import main

sys.exit(main())
