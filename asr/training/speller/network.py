"""Adds a speller to a trained model, optionally factorising its input matrices (truncated SVD)."""

from __future__ import annotations

import torch
from torch import Tensor

from asr.acoustic.network import AcousticModel
from asr.config.schema import SpellerConfig
from asr.errors import AsrError


def with_speller(
    model: AcousticModel,
    units: int,
    intermediate_units: int,
    speller: SpellerConfig,
    bottleneck: int = 0,
) -> AcousticModel:
    """A model with the encoder of ``model`` and an untrained speller and main head.

    Args:
        units: number of units of the main head.
        intermediate_units: number of units of the intermediate head.
        speller: shape of the speller.
        bottleneck: rank of the encoder's input matrices; 0 for that of ``model``. Full matrices
            are replaced by the products of rank ``bottleneck`` nearest to them (Eckart and Young
            1936).

    Raises:
        AsrError: ``model`` has bottlenecks of another width already, or no wider layers.
    """
    encoder = model.config.encoder
    width = bottleneck or encoder.bottleneck
    factorise = width != encoder.bottleneck
    if factorise and (encoder.bottleneck or width >= min(model.encoder.widths)):
        raise AsrError(
            f"speller.bottleneck={bottleneck} narrows nothing in this model; lower it, or set it "
            "to 0 to leave the encoder as it is"
        )
    encoder = encoder.model_copy(update={"bottleneck": width})
    config = model.config.model_copy(update={"encoder": encoder, "speller": speller})
    new = AcousticModel(config, units, intermediate_units)
    weights = model.state_dict()
    if factorise:
        for layer in range(1, encoder.layers):
            weights |= _factorised(weights, layer, width)
    own = new.state_dict()
    new.load_state_dict(
        own | {k: v for k, v in weights.items() if k in own and not _is_main_head(k)}
    )
    return new


def _is_main_head(key: str) -> bool:
    return key.startswith(("head.", "speller."))


def _factorised(weights: dict[str, Tensor], layer: int, width: int) -> dict[str, Tensor]:
    """Factorises the input matrices of a layer, all gates and directions together."""
    prefix = f"encoder.layers.{layer}."
    names = [k for k in weights if k.startswith(prefix) and k.endswith("weight_ih_l0")]
    if not names:
        raise AsrError("speller.bottleneck knows LSTM, GRU and plain RNN layers alone; set it to 0")
    rows, scales, columns = torch.linalg.svd(
        torch.cat([weights[name] for name in names]).double(), full_matrices=False
    )
    root = scales[:width].sqrt()
    after = (rows[:, :width] * root).float().chunk(len(names))
    before = (root[:, None] * columns[:width]).float()
    return {f"encoder.bottlenecks.{layer - 1}.weight": before} | dict(
        zip(names, after, strict=True)
    )
