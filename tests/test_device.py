"""Precisions that a processor lacks; a torch and a torchaudio that do not load together."""

import os
import subprocess
import sys

import pytest

from asr.errors import AsrError
from asr.runtime.torch_pair import check_pair

_CHOOSE = """
import sys, torch
from asr.runtime.device import choose_precision
from asr.errors import AsrError
try:
    print(choose_precision(sys.argv[1], torch.device("cpu")))
except AsrError as error:
    print(error)
"""


def _chosen_with_avx2(precision):
    """What is chosen where oneDNN has the instructions of most desktops and laptops."""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    command = [sys.executable, "-c", _CHOOSE, precision]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_a_processor_without_avx512_trains_in_float32():
    assert _chosen_with_avx2("auto") == "float32\n"
    assert _chosen_with_avx2("float32") == "float32\n"


def test_a_precision_that_the_processor_lacks_is_refused_in_a_sentence():
    assert _chosen_with_avx2("bfloat16") == (
        "the cpu of this machine can't train an LSTM in bfloat16; "
        "set the precision to auto or float32\n"
    )


@pytest.mark.parametrize("torchaudio", ["2.11.0", "2.11.0+cpu", "2.11.0+cu130"])
def test_a_pair_may_be_built_for_different_devices(torchaudio):
    check_pair("2.11.0+cu130", torchaudio)


@pytest.mark.parametrize("torchaudio", ["2.11.1", "2.10.0", "2.12.0+cpu"])
def test_a_torchaudio_of_another_torch_is_named_with_it(torchaudio):
    with pytest.raises(AsrError, match=r"torch 2\.11\.0\+cpu and torchaudio " + torchaudio[:4]):
        check_pair("2.11.0+cpu", torchaudio)
