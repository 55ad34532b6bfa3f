"""Compiled kernels of LSTM models: products, convolutions, recurrence, normalisation.

All arithmetic is in float32. Sums run over inputs in a fixed order, so a row's result depends
neither on the number of rows nor on threads.

Weights stay in float16 where the processor widens them on load: a layer's recurrent weights, read
at every frame, then fit into its cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from asr.runtime.jit import fused, fused_inner

Floats = NDArray[np.float32]
Weights = NDArray[np.float32] | NDArray[np.uint16]
"""Shape (inputs, outputs); uint16 holds the bits of float16."""

_F = np.float32
_ONE, _TWO = _F(1.0), _F(2.0)

# exp(x) = 2**n exp(r) with r in [-ln 2 / 2, ln 2 / 2]; the polynomial is that of Cephes' expf.
_LEAST, _MOST = _F(-87.0), _F(88.0)
_LOG2_E = _F(1.4426950408889634)
_LN_2, _LN_2_REST = _F(0.693359375), _F(-2.12194440e-4)
_P0, _P1, _P2 = _F(1.9875691500e-4), _F(1.3981999507e-3), _F(8.3334519073e-3)
_P3, _P4, _P5 = _F(4.1665795894e-2), _F(1.6666665459e-1), _F(5.0000001201e-1)


def pack(weights: NDArray[np.floating]) -> Weights:
    """Converts weights, shape (inputs, outputs), to the type this processor reads fastest."""
    if weights.dtype == np.float16 and _widens_halves():
        return np.ascontiguousarray(weights).view(np.uint16)
    return np.ascontiguousarray(weights, np.float32)


def _widens_halves() -> bool:
    if binding.get_process_triple().split("-")[0] in ("aarch64", "arm64"):
        return True
    return bool(binding.get_host_cpu_features().get("f16c", False))


def _widen(context: Any, weight: Any) -> Any:
    """A weight as float32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (bits,) = arguments
        if signature.args[0] == types.float32:
            return bits
        return builder.fpext(builder.bitcast(bits, ir.HalfType()), ir.FloatType())

    return types.float32(weight), codegen


widen: Any = intrinsic(_widen)


def _float_of_bits(context: Any, bits: Any) -> Any:
    """Reinterprets 32 bits as a float32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), codegen


float_of_bits: Any = intrinsic(_float_of_bits)


@fused
def affine(x: Floats, weights: Weights, bias: Floats) -> Floats:
    """x W + b, shape (rows, outputs), for x of shape (rows, inputs)."""
    out = np.empty((len(x), len(bias)), np.float32)
    _affine(x, weights, bias, out, np.empty((2, len(bias)), np.float32))
    return out


@fused_inner
def _affine(x: Floats, weights: Weights, bias: Floats, out: Floats, spare: Floats) -> None:
    """x W + b; ``spare`` takes the output of rows that the last four of x lack."""
    rows = len(x)
    for row in out:
        for j in range(len(bias)):
            row[j] = bias[j]
    for i in range(0, rows - 1, 4):
        c, d = min(i + 2, rows - 1), min(i + 3, rows - 1)
        to_c = out[c] if i + 2 < rows else spare[0]
        to_d = out[d] if i + 3 < rows else spare[1]
        _add_four(x[i], x[i + 1], x[c], x[d], weights, out[i], out[i + 1], to_c, to_d)
    if rows % 4 == 1:
        _add(x[rows - 1], weights, out[rows - 1])


# Several inputs at a time share a load and a store of the sums, several rows share the load and the
# widening of the weights.


@fused_inner
def _add(x: Floats, weights: Weights, out: Floats) -> None:
    """Adds x W to ``out``."""
    inputs = len(x)
    for k in range(0, inputs - 7, 8):
        x0, x1, x2, x3 = x[k], x[k + 1], x[k + 2], x[k + 3]
        x4, x5, x6, x7 = x[k + 4], x[k + 5], x[k + 6], x[k + 7]
        w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        w4, w5, w6, w7 = weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7]
        for j in range(len(out)):
            total = ((out[j] + x0 * widen(w0[j])) + x1 * widen(w1[j])) + x2 * widen(w2[j])
            total = ((total + x3 * widen(w3[j])) + x4 * widen(w4[j])) + x5 * widen(w5[j])
            out[j] = (total + x6 * widen(w6[j])) + x7 * widen(w7[j])
    for k in range(inputs - inputs % 8, inputs):
        w0 = weights[k]
        for j in range(len(out)):
            out[j] += x[k] * widen(w0[j])


@fused_inner
def _add_four(
    a: Floats,
    b: Floats,
    c: Floats,
    d: Floats,
    weights: Weights,
    to_a: Floats,
    to_b: Floats,
    to_c: Floats,
    to_d: Floats,
) -> None:
    """:func:`_add` for four rows."""
    inputs = len(a)
    for k in range(0, inputs - 3, 4):
        a0, a1, a2, a3 = a[k], a[k + 1], a[k + 2], a[k + 3]
        b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
        c0, c1, c2, c3 = c[k], c[k + 1], c[k + 2], c[k + 3]
        d0, d1, d2, d3 = d[k], d[k + 1], d[k + 2], d[k + 3]
        w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        for j in range(len(to_a)):
            v0, v1, v2, v3 = widen(w0[j]), widen(w1[j]), widen(w2[j]), widen(w3[j])
            to_a[j] = (((to_a[j] + a0 * v0) + a1 * v1) + a2 * v2) + a3 * v3
            to_b[j] = (((to_b[j] + b0 * v0) + b1 * v1) + b2 * v2) + b3 * v3
            to_c[j] = (((to_c[j] + c0 * v0) + c1 * v1) + c2 * v2) + c3 * v3
            to_d[j] = (((to_d[j] + d0 * v0) + d1 * v1) + d2 * v2) + d3 * v3
    for k in range(inputs - inputs % 4, inputs):
        w0 = weights[k]
        for j in range(len(to_a)):
            v0 = widen(w0[j])
            to_a[j] += a[k] * v0
            to_b[j] += b[k] * v0
            to_c[j] += c[k] * v0
            to_d[j] += d[k] * v0


@fused
def convolve(x: Floats, weights: Weights, bias: Floats) -> Floats:
    """A convolution of 3 x 3 with stride 2 and zeros around, then ReLU.

    Args:
        x: shape (frames, bins, channels).
        weights: shape (9 * channels, new channels), rows by time, then bin, then channel.

    Returns:
        shape (frames / 2, bins / 2, new channels), rounded up.
    """
    frames, bins, channels = x.shape
    out = np.empty(((frames + 1) // 2, (bins + 1) // 2, len(bias)), np.float32)
    patches = np.empty((out.shape[1], 9 * channels), np.float32)
    spare = np.empty((2, len(bias)), np.float32)
    for t in range(len(out)):
        patches[:] = 0.0
        for i in range(3):
            frame = 2 * t + i - 1
            if not 0 <= frame < frames:
                continue
            for f in range(len(patches)):  # three neighbours, side by side in both
                low, high = max(2 * f - 1, 0), min(2 * f + 2, bins)
                to = 3 * i + low - (2 * f - 1)
                for at in range(low, high):
                    for c in range(channels):
                        patches[f, to * channels + c] = x[frame, at, c]
                    to += 1
        _affine(patches, weights, bias, out[t], spare)
        for f in range(len(patches)):
            for c in range(len(bias)):
                out[t, f, c] = max(out[t, f, c], _F(0.0))
    return out


@fused
def lstm(
    x: Floats,
    weights: Weights,
    recurrent: Weights,
    bias: Floats,
    backwards: bool,
    out: Floats,
) -> None:
    """One direction of an LSTM layer, from a zero state (Hochreiter and Schmidhuber 1997; the
    equations are those of :class:`asr.acoustic.cells.Lstm`).

    Args:
        x: shape (frames, inputs).
        weights: of the input, shape (inputs, 4 * hidden), by gates i, f, c~, o.
        recurrent: of the hidden state, shape (hidden, 4 * hidden).
        backwards: from the last frame to the first.
        out: receives the hidden states, shape (frames, hidden).
    """
    frames, hidden = out.shape
    projected = affine(x, weights, bias)
    state = np.zeros(hidden, np.float32)
    cell = np.zeros(hidden, np.float32)
    for step in range(frames):
        t = frames - 1 - step if backwards else step
        gates = projected[t]
        _add(state, recurrent, gates)
        _lstm_step(gates, cell, state)
        out[t] = state


@fused
def lstm_step(gates: Floats, cells: Floats) -> Floats:
    """One LSTM step for several states at once.

    Args:
        gates: W x + U h + b, shape (states, 4 * hidden).
        cells: shape (states, hidden), updated in place.

    Returns:
        The new hidden states, shape (states, hidden).
    """
    states = np.empty_like(cells)
    for i in range(len(cells)):
        _lstm_step(gates[i], cells[i], states[i])
    return states


@fused_inner
def _lstm_step(gates: Floats, cell: Floats, state: Floats) -> None:
    """Updates the cell and hidden state of an LSTM from its gates before their non-linearity."""
    hidden = len(state)
    for j in range(hidden):
        kept = _logistic(gates[hidden + j]) * cell[j]
        cell[j] = kept + _logistic(gates[j]) * _tanh(gates[2 * hidden + j])
        state[j] = _logistic(gates[3 * hidden + j]) * _tanh(cell[j])


@fused
def normalise(x: Floats, scale: Floats, shift: Floats) -> None:
    """Layer normalisation of each row (Ba et al. 2016), in place."""
    for row in x:
        mean = 0.0
        for value in row:
            mean += value
        mean /= len(row)
        variance = 0.0
        for value in row:
            variance += (value - mean) ** 2
        factor = _F(1.0 / math.sqrt(variance / len(row) + 1e-5))
        centre = _F(mean)
        for j in range(len(row)):
            row[j] = (row[j] - centre) * factor * scale[j] + shift[j]


@fused
def log_softmax(x: Floats) -> None:
    """Logits to log-probabilities in each row, in place."""
    for row in x:
        top = row.max()
        total = 0.0
        for value in row:
            total += math.exp(value - top)
        row -= _F(top + math.log(total))


@fused_inner
def _exp(x: Any) -> Any:
    x = min(max(x, _LEAST), _MOST)
    n = np.floor(x * _LOG2_E + _F(0.5))
    r = (x - n * _LN_2) - n * _LN_2_REST
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    power = float_of_bits((np.int32(n) + np.int32(127)) << np.int32(23))
    return (p * r * r + r + _ONE) * power


@fused_inner
def _logistic(x: Any) -> Any:
    return _ONE / (_ONE + _exp(-x))


@fused_inner
def _tanh(x: Any) -> Any:
    return _TWO / (_ONE + _exp(-_TWO * x)) - _ONE
