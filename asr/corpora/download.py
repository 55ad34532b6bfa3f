"""Download of LibriSpeech's archives from openslr.org: fetched, verified, unpacked."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import ssl
import tarfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from asr.corpora.summary import make_folder
from asr.errors import AsrError
from asr.runtime.progress import console

BASE_URL = "https://www.openslr.org/resources"

_TRIES = 5  # in a row without a byte received
_TIMEOUT = 60.0  # seconds without a byte
_CHUNK = 1 << 16  # bytes
_BROKEN = (URLError, ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)
_HOPELESS = (401, 403, 404, 410)  # HTTP statuses that a retry does not change


@dataclass(frozen=True)
class Archive:
    """A subset as published: NAME.tar.gz, which holds LibriSpeech/NAME."""

    name: str
    resource: int  # its number at OpenSLR
    utterances: int
    size: int  # bytes
    md5: str

    @property
    def file(self) -> str:
        return f"{self.resource}/{self.name}.tar.gz"


ARCHIVES = {
    archive.name: archive
    for archive in (
        Archive("dev-clean", 12, 2703, 337926286, "42e2234ba48799c1f50f24a7926300a1"),
        Archive("dev-other", 12, 2864, 314305928, "c8d0bcc9cca99d4f8b62fcc847357931"),
        Archive("test-clean", 12, 2620, 346663984, "32fa31d27d2e1cad72775fee3f4849a9"),
        Archive("test-other", 12, 2939, 328757843, "fb5a50374b501bb3bac4815ee91d3135"),
        Archive("train-clean-100", 12, 28539, 6387309499, "2a93770f6d5c6c964bc36631d331a522"),
        Archive("train-clean-360", 12, 104014, 23049477885, "c0e676e450a7ff2f54aeade5171606fa"),
        Archive("train-other-500", 12, 148688, 30593501606, "d1a0fd59409feb2c614ce4d30c387708"),
        Archive("train-clean-5", 31, 1519, 332954390, "5df7d4e78065366204ca6845bb08f490"),
        Archive("dev-clean-2", 31, 1089, 126046265, "6d7ab67ac6a1d2c993d050e16d61080d"),
    )
}


def download_archive(archive: Archive, folder: Path, base_url: str = BASE_URL) -> Path:
    """Downloads and unpacks ``folder/NAME``, unless it exists.

    The archive is fetched to ``NAME.tar.gz.part``, which continues an earlier try, and removed
    once it is unpacked; an existing ``NAME.tar.gz`` is used and kept. The
    subset gets its name as the last step, so a folder of that name is never half a subset.

    Returns:
        The folder of the subset.

    Raises:
        AsrError: the archive can't be fetched, is not the published one, or can't be unpacked.
    """
    subset = folder / archive.name
    if subset.is_dir():
        return subset
    make_folder(folder)
    given = folder / f"{archive.name}.tar.gz"
    part = folder / f"{archive.name}.tar.gz.part"
    try:
        _check_space(archive, folder, given if given.exists() else part)
        with _bar() as progress:
            if not given.exists():
                _fetch(archive, f"{base_url.rstrip('/')}/{archive.file}", part, progress)
            packed = given if given.exists() else part
            digest = _md5(packed, progress, f"verifying {archive.name}")
            if digest != archive.md5:
                what = f"{packed} is not the archive as published (MD5 {digest})"
                if packed == given:
                    raise AsrError(f"{what}; remove it and try again")
                part.unlink()
                raise AsrError(f"{what} and was removed; try again, or a mirror")
            _unpack(archive, packed, subset, progress)
            part.unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise AsrError(f"{archive.name} can't be brought into {folder}: {why}") from error
    return subset


def _check_space(archive: Archive, folder: Path, packed: Path) -> None:
    # Speech in FLAC does not shrink any further: unpacked it is as large as packed.
    needed = 2 * archive.size - _size(packed)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AsrError(
            f"{folder} has {free / 1e9:.1f} GB free, and {archive.name} needs "
            f"{needed / 1e9:.1f} GB to be fetched and unpacked; make room or use another folder"
        )


def _fetch(archive: Archive, url: str, part: Path, progress: Progress) -> None:
    task = progress.add_task(f"downloading {archive.name}", total=archive.size)
    furthest = _size(part)
    failures = 0
    while _size(part) < archive.size:
        reason = "it breaks off"
        try:
            for received in _receive(archive, url, part):
                progress.update(task, completed=received)
        except HTTPError as error:
            reason = f"the server answers {error.code} {error.reason}"
            if error.code in _HOPELESS:
                raise AsrError(f"{url} can't be downloaded: {reason}; try a mirror") from error
            if error.code == 416:  # beyond the end: what is here is of another file
                part.unlink(missing_ok=True)
        except (ValueError, http.client.InvalidURL) as error:
            raise AsrError(f"{url} is not an address to download from ({error})") from error
        except _BROKEN as error:
            cause = getattr(error, "reason", error)
            reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        failures = 0 if _size(part) > furthest else failures + 1
        furthest = max(furthest, _size(part))
        if failures == _TRIES:
            raise AsrError(
                f"{url} can't be downloaded: {reason}; try again later, it goes on from here"
            )
        if _size(part) < archive.size:
            time.sleep(2**failures / 2)


def _receive(archive: Archive, url: str, part: Path) -> Iterator[int]:
    """Requests the missing bytes once and yields the number received so far after each piece."""
    have = _size(part)
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urlopen(request, timeout=_TIMEOUT) as response:
        goes_on = response.status == 206
        have = have if goes_on else 0
        length = response.headers.get("Content-Length")
        if length is not None and have + int(length) != archive.size:
            raise AsrError(
                f"{url} is a file of {have + int(length)} bytes, and the published archive has "
                f"{archive.size}; try a mirror"
            )
        with part.open("ab" if goes_on else "wb", buffering=0) as file:
            while piece := response.read(_CHUNK):
                file.write(piece)
                have += len(piece)
                yield have


def _md5(path: Path, progress: Progress, description: str) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with progress.open(path, "rb", description=description) as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _unpack(archive: Archive, packed: Path, subset: Path, progress: Progress) -> None:
    folder = subset.parent
    halfway = folder / f".{archive.name}.unpacking"
    _remove(halfway)  # of an earlier try that was killed
    try:
        with (
            progress.open(packed, "rb", description=f"unpacking {archive.name}") as file,
            tarfile.open(fileobj=file, mode="r|gz") as tar,
        ):
            tar.extractall(halfway, filter="data")
        inner = halfway / "LibriSpeech"
        if not (inner / archive.name).is_dir():
            raise AsrError(f"{packed} holds no folder LibriSpeech/{archive.name}")
        for path in inner.iterdir():  # the licence, the list of speakers
            if path.is_file() and not (folder / path.name).exists():
                path.rename(folder / path.name)
        (inner / archive.name).rename(subset)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise AsrError(f"{packed} can't be unpacked ({error}); remove it and try again") from error
    finally:
        _remove(halfway)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
