"""Pairs of references and hypotheses, by utterance id or by time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from asr.errors import AsrError
from asr.scoring.ctm import assign
from asr.scoring.stm import Segment
from asr.scoring.transcripts import Transcripts, UtteranceText, read_transcripts


@dataclass(frozen=True)
class Paired:
    """References with their hypotheses."""

    references: Sequence[UtteranceText]
    hypotheses: Sequence[str]  # at the same positions, empty where missing
    missing: Sequence[str]  # ids of references without hypothesis
    extra: Sequence[str]  # ids of hypotheses without reference, which are not scored


def pair_transcripts(reference: Transcripts, hypothesis: Transcripts) -> Paired:
    """Pairs two files: the words of a CTM with the segments of an STM by time, others by id.

    Raises:
        AsrError: they have nothing in common, or one has no times where they are needed.
    """
    if reference.format == "stm" and hypothesis.format == "ctm":
        return _pair_by_time(reference.segments, hypothesis)
    return pair(_with_ids(reference, hypothesis), _with_ids(hypothesis, reference))


def pair(references: Sequence[UtteranceText], hypotheses: Sequence[UtteranceText]) -> Paired:
    """Pairs references with hypotheses by utterance id.

    Raises:
        AsrError: no reference has a hypothesis.
    """
    texts = {utterance.utterance_id: utterance.text for utterance in hypotheses}
    names = {utterance.utterance_id for utterance in references}
    if names.isdisjoint(texts):
        raise AsrError(
            "reference and hypothesis have no utterance in common: the first ids are "
            f"{references[0].utterance_id} and {hypotheses[0].utterance_id}"
        )
    return Paired(
        references,
        [texts.get(utterance.utterance_id, "") for utterance in references],
        [u.utterance_id for u in references if u.utterance_id not in texts],
        [name for name in texts if name not in names],
    )


def with_speakers(utterances: Sequence[UtteranceText], speakers: str) -> list[UtteranceText]:
    """The same utterances with their speakers.

    Args:
        utterances: references.
        speakers: a file with utterance id and speaker in each line (Kaldi's utt2spk), or ``id`` for
            the part of each utterance id before the first hyphen, as in LibriSpeech.

    Raises:
        AsrError: the file can't be read, or an utterance has no speaker.
    """
    if speakers == "id":
        names = {u.utterance_id: u.utterance_id.partition("-")[0] for u in utterances}
    else:
        names = {u.utterance_id: u.text for u in read_transcripts(speakers, "txt") if u.text}
    for utterance in utterances:
        if utterance.utterance_id not in names:
            raise AsrError(f"{speakers} has no speaker for the utterance {utterance.utterance_id}")
    return [replace(u, speaker=names[u.utterance_id]) for u in utterances]


def _pair_by_time(segments: Sequence[Segment], hypothesis: Transcripts) -> Paired:
    assignment = assign(segments, hypothesis.words)
    if len(assignment.missing) == len({(s.recording, s.channel) for s in segments}):
        first, word = segments[0], hypothesis.words[0] if hypothesis.words else None
        other = f"{word.recording} {word.channel}" if word else "nothing"
        raise AsrError(
            "reference and hypothesis have no recording in common: the first are "
            f"{first.recording} {first.channel} and {other}"
        )
    scored = [index for index, segment in enumerate(segments) if not segment.is_excluded]
    return Paired(
        _utterances([segments[index] for index in scored]),
        [assignment.texts[index] for index in scored],
        assignment.missing,
        assignment.extra,
    )


def _utterances(segments: Sequence[Segment]) -> list[UtteranceText]:
    """Segments as utterances, named as sclite does: the speaker and a number from 000."""
    counts: Counter[str] = Counter()
    utterances = []
    for segment in segments:
        speaker = segment.speaker
        utterances.append(
            UtteranceText(
                f"{speaker}-{counts[speaker]:03d}",
                segment.text,
                speaker,
                segment.end - segment.start or None,
                labels=segment.labels,
            )
        )
        counts[speaker] += 1
    return utterances


def _with_ids(transcripts: Transcripts, other: Transcripts) -> Sequence[UtteranceText]:
    """The utterances of a file by id; an STM or CTM has one for each recording.

    Raises:
        AsrError: a recording has several segments or channels, which only times can pair.
    """
    if transcripts.format == "stm":
        by_recording = defaultdict(list)
        for segment in transcripts.segments:
            if not segment.is_excluded:
                by_recording[segment.recording].append(segment)
        for name, segments in by_recording.items():
            if len(segments) > 1:
                raise AsrError(
                    f"{name} has {len(segments)} segments in {transcripts.path}, and "
                    f"{other.path} has no times of words to tell them apart; give it as ctm"
                )
        named = [(name, segments[0]) for name, segments in by_recording.items()]
        return [
            replace(utterance, utterance_id=name)
            for (name, _), utterance in zip(
                named, _utterances([segment for _, segment in named]), strict=True
            )
        ]
    if transcripts.format == "ctm":
        texts: dict[tuple[str, str], list[str]] = defaultdict(list)
        for word in sorted(transcripts.words, key=lambda word: word.start):
            texts[word.recording, word.channel].append(word.text)
        channels = Counter(name for name, _ in texts)
        for name, count in channels.items():
            if count > 1:
                raise AsrError(
                    f"{name} has {count} channels in {transcripts.path}; score it against an stm"
                )
        return [UtteranceText(name, " ".join(words)) for (name, _), words in texts.items()]
    return transcripts.utterances
