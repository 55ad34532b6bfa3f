"""Media files for tests, encoded by PyAV: containers and codecs that libsndfile can't write."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

# By extension: container, codec, sample rate, bit rate.
KINDS = {
    "m4a": ("ipod", "aac", 16_000, 64_000),
    "mp4": ("mp4", "aac", 44_100, 96_000),
    "mov": ("mov", "pcm_s16le", 16_000, None),
    "mkv": ("matroska", "flac", 16_000, None),
    "mka": ("matroska", "libopus", 48_000, 64_000),
    "webm": ("webm", "libopus", 48_000, 64_000),
    "avi": ("avi", "mp2", 32_000, 128_000),
    "wma": ("asf", "wmav2", 16_000, 64_000),
    "amr": ("amr", "libopencore_amrnb", 8_000, 12_200),
    "mp2": ("mp2", "mp2", 48_000, 128_000),
    "3gp": ("3gp", "aac", 16_000, 64_000),
    "aac": ("adts", "aac", 16_000, 64_000),
    "ac3": ("ac3", "ac3", 48_000, 128_000),
    "wv": ("wv", "wavpack", 16_000, None),
    "tta": ("tta", "tta", 16_000, None),
    "mts": ("mpegts", "aac", 48_000, 96_000),
}


_FORMATS = ("fltp", "flt", "s16", "s16p")  # preferred sample formats


def write_media(
    path: Path | io.BytesIO, signal: np.ndarray, kind: str, video: bool = False, **options: str
) -> int:
    """Writes a signal, shape (samples,) or (samples, channels), at 16 kHz.

    Args:
        kind: a key of :data:`KINDS`.
        video: whether the file has a video track too, longer than the audio.
        options: of the container.

    Returns:
        The sample rate in the file.
    """
    container_name, codec, rate, bit_rate = KINDS[kind]
    signal = signal[:, None] if signal.ndim == 1 else signal
    layout = "mono" if signal.shape[1] == 1 else "stereo"
    file = path if isinstance(path, io.BytesIO) else str(path)
    options = {"fflags": "bitexact", **options}  # the same bytes every time
    with av.open(file, "w", format=container_name, options=options) as container:
        pictures = container.add_stream("mpeg4", rate=10) if video else None
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        if bit_rate:
            stream.bit_rate = bit_rate
        known = [f.name for f in stream.codec_context.codec.audio_formats or ()]
        sample_format = next((name for name in _FORMATS if name in known), known[0])
        stream.format = sample_format
        if pictures is not None:
            _encode_pictures(container, pictures, len(signal) / 16_000 + 2.0)
        resampler = av.AudioResampler(sample_format, layout, rate, stream.frame_size or None)
        data = np.ascontiguousarray(signal.T.astype(np.float32))
        frame = av.AudioFrame.from_ndarray(data, "fltp", layout)
        frame.sample_rate = 16_000
        frame.time_base = Fraction(1, 16_000)
        frame.pts = 0
        for part in (frame, None):
            for converted in resampler.resample(part):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return rate


def _encode_pictures(
    container: av.container.OutputContainer, stream: av.VideoStream, seconds: float
) -> None:
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number in range(round(seconds * 10)):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 255, np.uint8), "rgb24")
        frame.pts = number
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
