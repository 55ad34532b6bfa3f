"""Imports torchaudio after checking that it was built for the installed torch."""

from __future__ import annotations

from importlib.metadata import version

from asr.errors import AsrError


def check_pair(torch: str, torchaudio: str) -> None:
    """Checks that two installed versions belong together.

    Raises:
        AsrError: they differ; torchaudio's library would then fail with an undefined symbol.
    """
    release = torch.partition("+")[0], torchaudio.partition("+")[0]  # without +cpu, +cu130
    if release[0] != release[1]:
        raise AsrError(
            f"torch {torch} and torchaudio {torchaudio} do not load beside each other; install a "
            f"pair, for example with: pip install torch=={release[0]} torchaudio=={release[0]}"
        )


check_pair(version("torch"), version("torchaudio"))

import torchaudio  # noqa: E402  (the check comes first)

__all__ = ["check_pair", "torchaudio"]
