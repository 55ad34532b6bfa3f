"""Damaged files, made from good ones by chance: audio, manifests, tables, transcripts."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
from media import write_media

Random = np.random.Generator

RATE = 16_000
# Container, subtype and extension of what good audio comes in.
CONTAINERS = (
    ("WAV", "PCM_16", "wav"),
    ("WAV", "FLOAT", "wav"),
    ("WAV", "PCM_24", "wav"),
    ("WAV", "IMA_ADPCM", "wav"),
    ("WAVEX", "PCM_16", "wav"),
    ("FLAC", "PCM_16", "flac"),
    ("OGG", "VORBIS", "ogg"),
    ("OGG", "OPUS", "opus"),
    ("MP3", "MPEG_LAYER_III", "mp3"),
    ("AIFF", "PCM_16", "aiff"),
    ("AU", "ULAW", "au"),
    ("CAF", "PCM_16", "caf"),
    ("W64", "PCM_16", "w64"),
    ("RF64", "PCM_16", "rf64"),
    ("NIST", "PCM_16", "sph"),
)
# Kinds of tests/media.py, which FFmpeg reads.
MEDIA = ("m4a", "mp4", "mov", "mkv", "webm", "avi", "wma", "amr", "mp2", "3gp", "aac", "wv", "mts")
_HEADER = 64  # bytes in which most containers say what they hold
_EXTREMES = (0, 1, 2, 3, 100, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@dataclass(frozen=True)
class Mutant:
    """A damaged file."""

    name: str  # with the extension of what it claims to be
    data: bytes


def damaged(data: bytes, random: Random, header: int = _HEADER) -> tuple[str, bytes]:
    """A file's bytes after one mishap, and what that was."""
    mishaps = (_truncate, _flip, _flip_header, _extreme, _blank_out, _insert, _repeat, _drop)
    mishap = mishaps[random.integers(len(mishaps))]
    return mishap.__name__.strip("_"), mishap(data, random, header)


def _truncate(data: bytes, random: Random, header: int) -> bytes:
    return data[: random.integers(len(data) + 1)]


def _flip(data: bytes, random: Random, header: int) -> bytes:
    changed = bytearray(data)
    for place in random.integers(len(data), size=random.integers(1, 30)):
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _flip_header(data: bytes, random: Random, header: int) -> bytes:
    return _flip(data[:header], random, header) + data[header:]


def _extreme(data: bytes, random: Random, header: int) -> bytes:
    value = _EXTREMES[random.integers(len(_EXTREMES))]
    order = "<>"[random.integers(2)]
    place = int(random.integers(0, min(header, len(data) - 4) // 2)) * 2
    return data[:place] + struct.pack(f"{order}I", value) + data[place + 4 :]


def _blank_out(data: bytes, random: Random, header: int) -> bytes:
    start, stop = _span(data, random)
    return data[:start] + bytes([int(random.choice([0, 255]))]) * (stop - start) + data[stop:]


def _insert(data: bytes, random: Random, header: int) -> bytes:
    place = random.integers(len(data))
    return data[:place] + random.bytes(int(random.integers(1, 200))) + data[place:]


def _repeat(data: bytes, random: Random, header: int) -> bytes:
    start, stop = _span(data, random)
    return data[:stop] + data[start:]


def _drop(data: bytes, random: Random, header: int) -> bytes:
    start, stop = _span(data, random)
    return data[:start] + data[stop:]


def _span(data: bytes, random: Random) -> tuple[int, int]:
    start, stop = sorted(random.integers(len(data) + 1, size=2).tolist())
    return start, stop


def audio(speech: Sequence[np.ndarray], random: Random) -> Iterator[Mutant]:
    """Damaged audio files without end."""
    encoded = [
        (extension, encode(signal, RATE, container, subtype))
        for signal in speech
        for container, subtype, extension in CONTAINERS
    ]
    encoded += [(kind, _media(signal, kind)) for signal in speech[:1] for kind in MEDIA]
    number = 0
    while True:
        number += 1
        if random.random() < 0.7:
            extension, data = encoded[random.integers(len(encoded))]
            what, data = damaged(data, random)
        else:
            odd = _ODD[random.integers(len(_ODD))]
            signal = speech[random.integers(len(speech))]
            (extension, data), what = odd(signal, random), odd.__name__.strip("_")
        yield Mutant(f"{number:04}-{what}.{extension}", data)


def encode(
    signal: np.ndarray, rate: int, container: str = "WAV", subtype: str | None = None
) -> bytes:
    """An audio file of ``signal``."""
    buffer = io.BytesIO()
    soundfile.write(buffer, signal, rate, subtype=subtype, format=container)
    data = buffer.getvalue()
    if container == "OGG":
        return _with_serial(data)
    peak = data.find(b"PEAK", 0, 100)  # of samples in floating point, with the time of writing
    return data if peak < 0 else data[: peak + 12] + bytes(4) + data[peak + 16 :]


def _media(signal: np.ndarray, kind: str) -> bytes:
    """A container of ``signal``, written by FFmpeg."""
    buffer = io.BytesIO()
    write_media(buffer, signal, kind)
    return buffer.getvalue()


def _with_serial(data: bytes, serial: int = 1) -> bytes:
    """An Ogg stream with a serial number that is not random (RFC 3533, section 6)."""
    pages = []
    while data:
        segments = data[27 : 27 + data[26]]
        end = 27 + len(segments) + sum(segments)
        page = data[:14] + struct.pack("<I", serial) + data[18:22] + bytes(4) + data[26:end]
        checksum = 0
        for byte in page:
            checksum ^= byte << 24
            for _ in range(8):
                checksum = (checksum << 1) ^ (0x104C11DB7 if checksum & 0x80000000 else 0)
        pages.append(page[:22] + struct.pack("<I", checksum) + page[26:])
        data = data[end:]
    return b"".join(pages)


def _not_finite(signal: np.ndarray, random: Random) -> tuple[str, bytes]:
    signal = signal.copy()
    signal[random.integers(len(signal), size=3)] = random.choice([np.nan, np.inf, -np.inf])
    return "wav", encode(signal, RATE, "WAV", "FLOAT")


def _enormous(signal: np.ndarray, random: Random) -> tuple[str, bytes]:
    return "wav", encode(signal * 10.0 ** random.integers(3, 39), RATE, "WAV", "FLOAT")


def _short(signal: np.ndarray, random: Random) -> tuple[str, bytes]:
    return "wav", encode(signal[: random.integers(200)], RATE)


def _odd_rate(signal: np.ndarray, random: Random) -> tuple[str, bytes]:
    rate = random.choice([1, 2, 7, 100, 1999, 2000, 7999, 96_000, 655_350, 10**7, 2**31 - 1])
    return "wav", encode(signal, int(rate))


def _many_channels(signal: np.ndarray, random: Random) -> tuple[str, bytes]:
    channels = int(random.choice([3, 8, 100, 1000]))
    return "wav", encode(np.tile(signal[:8000, None], (1, channels)), RATE)


def _another_format(signal: np.ndarray, random: Random) -> tuple[str, bytes]:
    container, subtype, _ = CONTAINERS[random.integers(len(CONTAINERS))]
    return CONTAINERS[random.integers(len(CONTAINERS))][2], encode(signal, RATE, container, subtype)


def _no_audio(signal: np.ndarray, random: Random) -> tuple[str, bytes]:
    contents = (b"", b"\0" * 5000, "no audio\n".encode("utf-16") * 50, random.bytes(5000), b"RIFF")
    return CONTAINERS[random.integers(len(CONTAINERS))][2], contents[random.integers(len(contents))]


_ODD: tuple[Callable[[np.ndarray, Random], tuple[str, bytes]], ...] = (
    *(_not_finite, _enormous, _short, _odd_rate, _many_channels, _another_format, _no_audio),
)

_VALUES = (
    *("null", "true", "-1", "0", "1e999", "NaN", "-Infinity", "1" * 5000, "1" * 400, '""', '" "'),
    *("[]", "{}", "[" * 3000, '"\\ud800"', '"\\u0000"', '"a\\u0000b"', '"\\n\\t"', '"\u2028"'),
    *('"' + "x" * 5000 + '"', '"../../.."', '"/"', '"."', '"~"', '"/dev/null"', '"\U0001f600 1%"'),
)


def lines(record: dict[str, object], random: Random) -> Iterator[str]:
    """Damaged lines of a manifest, of which ``record`` is a good one, without end."""
    while True:
        keys = list(record)
        if random.random() < 0.6:
            key = keys[random.integers(len(keys))]
            fields = [
                f"{json.dumps(name)}: "
                + (_VALUES[random.integers(len(_VALUES))] if name == key else json.dumps(value))
                for name, value in record.items()
            ]
            yield "{" + ", ".join(fields) + "}"
        elif random.random() < 0.3:
            yield _VALUES[random.integers(len(_VALUES))]
        else:
            _, data = damaged(json.dumps(record).encode(), random)
            yield data.decode("utf-8", "replace").replace("\n", " ")


def texts(data: bytes, random: Random) -> Iterator[bytes]:
    """Damaged files of text, of which ``data`` is a good one, without end."""
    encodings = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp500")
    contents = (b"", b"\n\n", b"\0" * 100, b"\xff\xfe", b"\xef\xbb\xbf", b"x" * 300_000)
    while True:
        chance = random.random()
        if chance < 0.2:
            yield data.decode().encode(encodings[random.integers(len(encodings))])
        elif chance < 0.3:
            yield contents[random.integers(len(contents))]
        elif chance < 0.4:
            yield data.replace(b"\n", bytes(random.choice(np.array([b"\r", b"\r\n", b"\x0c"]))))
        else:
            yield damaged(data, random, len(data))[1]
