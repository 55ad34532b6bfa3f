"""The beam search decoder: options, lexicon, language model and hot words around the compiled
search of :mod:`asr.decoding.search`."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asr.decoding import search
from asr.decoding.calibration import UNCALIBRATED, Calibration
from asr.decoding.hotwords import HotWords, read_phrases
from asr.decoding.hypothesis import DecodedWord, Hypothesis, Lengths, LogProbs
from asr.decoding.label_prior import divide, logarithms
from asr.decoding.lexicon_tree import LexiconTree
from asr.decoding.nbest import path, shares, word_spans
from asr.decoding.options import BeamOptions
from asr.decoding.search import records
from asr.decoding.search.input import build_input, check, with_words
from asr.decoding.search.records import (
    FinalHypotheses,
    Ints,
    Records,
    SearchMemory,
    SearchSettings,
    WordSpans,
)
from asr.decoding.word_boundaries import Boundaries
from asr.errors import AsrError
from asr.ngram.model import EOS
from asr.tokenizers.tokenizer import PhoneTokenizer, Tokenizer

if TYPE_CHECKING:
    from asr.ngram import NgramModel

_COMPACTED = 1 << 16  # room for histories and tokens from which on it is freed before it grows
_NEGLIGIBLE = 12.0  # natural logarithm; hypotheses farther below the best are ignored


class BeamDecoder:
    """Finds the most likely word sequence, summed over all of its alignments.

    With a lexicon, only its words are found, or others too if the vocabulary is open. Without one,
    words are spelled freely; without a language model, the acoustics alone decide. Of homophones
    that the language model can't tell apart, only the likeliest is found.

    The score of a hypothesis is that of :class:`BeamOptions`; its acoustic part includes the
    weights of spellings. Hypotheses that differ in their units but not in their text are added up.
    A word's confidence is the share of hypotheses in the beam, by their probability, that have it
    at an overlapping time, times the (geometric) mean probability of its units; from that a
    calibration, found on development data by ``asr tune``, makes the chance that it is right.

    Args:
        tokenizer: the units.
        options: widths, thresholds and weights.
        lexicon: the words.
        lm: the language model; it needs a lexicon to have words.
        hotwords: words and phrases to be favoured, perhaps each with its boost (natural logarithm).
            Words that the lexicon lacks are spelled by the tokenizer.
        prior: the share of each unit in the model's emissions (:mod:`asr.decoding.label_prior`).
        calibration: of the confidences of words.
        threads: utterances of a batch that are decoded at a time.

    Raises:
        AsrError: the lexicon or the prior doesn't fit the units, or a hot word can't be spelled.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        options: BeamOptions | None = None,
        *,
        lexicon: LexiconTree | None = None,
        lm: NgramModel | None = None,
        hotwords: Iterable[str] | Mapping[str, float] = (),
        prior: Mapping[str, float] | None = None,
        calibration: Calibration = UNCALIBRATED,
        threads: int = 1,
    ) -> None:
        self.options = options or BeamOptions()
        self.tokenizer = tokenizer
        self.name = "beam + LM" if lm else "beam"
        self.writes_words = lexicon is not None or not isinstance(tokenizer, PhoneTokenizer)
        self.calibration = calibration
        self.log_prior: NDArray[np.float32] | None = None  # weighted, shape (units,)
        if prior is not None and self.options.prior_weight:
            self.log_prior = self.options.prior_weight * logarithms(prior, tokenizer)
        self._threads = threads
        boundaries = Boundaries.of(tokenizer)
        phrases = read_phrases(hotwords, self.options.hotword_boost)
        tree = with_words(lexicon or LexiconTree.build(()), phrases, tokenizer)
        self.words = tree.words
        check(tree, len(tokenizer), boundaries.separator)
        numbered = {
            tuple(tree.number[word] for word in phrase.split()): boost
            for phrase, boost in phrases.items()
        }
        hot = HotWords.build(numbered, len(tree.words))
        self.search_input = build_input(
            tree, lm, hot, self.options, boundaries, len(tokenizer), spelled=lexicon is None
        )
        # The search is compiled on its first use: here, so that decoding is never slower once.
        self._search(np.zeros((1, len(tokenizer)), np.float32))

    def decode(self, log_probs: LogProbs, lengths: Lengths) -> list[list[Hypothesis]]:
        pairs = zip(log_probs, lengths.tolist(), strict=True)
        utterances = [np.asarray(row[:length]) for row, length in pairs]
        if self._threads == 1 or len(utterances) == 1:
            return [self._search(rows) for rows in utterances]
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(self._search, utterances))

    def stream(self) -> BeamStream:
        """A search over one utterance, fed frame by frame or in pieces."""
        return BeamStream(self)

    def _search(self, rows: NDArray[np.floating]) -> list[Hypothesis]:
        stream = self.stream()
        stream.feed(rows)
        return stream.finish()


class BeamStream:
    """The search over one utterance, fed in pieces; the result does not depend on the pieces."""

    def __init__(self, decoder: BeamDecoder) -> None:
        self._decoder = decoder
        self._input = decoder.search_input
        self._units = len(decoder.tokenizer)
        self._texts_of_nodes: dict[int, str] = {}  # of words that are not in the lexicon
        self._memory = _empty_memory(decoder.options.beam_size, self._units, self._input.settings)

    def feed(self, log_probs: LogProbs) -> None:
        """Searches frames.

        Args:
            log_probs: in float32 or float64, shape (frames, units).

        Raises:
            AsrError: the shape is another, or a value is not a number.
        """
        rows = np.asarray(log_probs)
        if rows.ndim != 2 or rows.shape[1] != self._units:
            raise AsrError(
                f"log-probabilities of shape (frames, {self._units}) are needed, not {rows.shape}"
            )
        if rows.dtype not in (np.float32, np.float64):
            rows = rows.astype(np.float32)
        rows = np.ascontiguousarray(rows)
        if len(rows) and not rows.max() < math.inf:
            raise AsrError("the log-probabilities hold values that are not numbers")
        if len(rows) and self._decoder.log_prior is not None:
            rows = divide(rows, self._decoder.log_prior)
        done = 0
        while (done := search.advance(rows, done, self._input, self._memory)) < len(rows):
            self._grow()

    def finish(self) -> list[Hypothesis]:
        """The hypotheses, best first; to be called once, after the last frame."""
        most = int(self._memory.counts[records.STATES]) * (self._input.settings.most_words + 1)
        self._reserve(histories=most, tokens=0, spelled=0)
        finals = search.finish(self._input, self._memory, EOS)
        wanted = self._decoder.options.nbest
        order = np.lexsort((finals.history, -finals.score))
        likely = finals.score > finals.score.max() - _NEGLIGIBLE
        order = order[: max(wanted, int(likely.sum()))]
        finals = FinalHypotheses._make(column[order] for column in finals)
        spans = word_spans(finals, self._memory, self._input.settings.separator)
        texts, scores = self._texts(finals, spans)
        best = sorted(scores, key=lambda r: -scores[r])[:wanted]
        posterior = np.exp(finals.score - finals.score.max())
        posterior /= posterior.sum()
        agreed = shares(spans, posterior, max(best) + 1)
        return [self._hypothesis(r, texts[r], scores[r], finals, spans, agreed) for r in best]

    def _texts(
        self, finals: FinalHypotheses, spans: WordSpans
    ) -> tuple[dict[int, str], dict[int, float]]:
        """Texts and scores of the hypotheses to choose from, those of one text added up."""
        if not self._input.settings.spelling:  # different word sequences are different texts
            count = min(self._decoder.options.nbest, len(finals.score))
            return (
                {r: " ".join(self._words(spans, r)) for r in range(count)},
                {r: float(finals.score[r]) for r in range(count)},
            )
        first: dict[str, int] = {}
        scores: dict[int, float] = {}
        for r, score in enumerate(finals.score.tolist()):
            text = " ".join(filter(None, self._words(spans, r)))
            r = first.setdefault(text, r)
            scores[r] = float(np.logaddexp(scores[r], score)) if r in scores else score
        return {r: text for text, r in first.items()}, scores

    def _words(self, spans: WordSpans, index: int) -> list[str]:
        codes = spans.word[spans.first[index] : spans.first[index + 1]].tolist()
        known = self._decoder.words
        return [known[c] if c < len(known) else self._spelled(c - len(known)) for c in codes]

    def _spelled(self, node: int) -> str:
        """The text of a word that is not in the lexicon."""
        if node not in self._texts_of_nodes:
            self._texts_of_nodes[node] = self._spell(node)
        return self._texts_of_nodes[node]

    def _spell(self, node: int) -> str:
        tree, spelled = self._input.lexicon, self._memory.spelled
        inside, first_child = len(tree.inverse_look_ahead), tree.node["first_child"]
        units = []
        while node >= inside:
            units.append(int(spelled["unit"][node - inside]))
            node = int(spelled["parent"][node - inside])
        while node:
            units.append(int(tree.node["unit"][node]))
            node = bisect_right(first_child, node) - 1
        return self._decoder.tokenizer.decode(units[::-1])

    def _hypothesis(
        self,
        index: int,
        text: str,
        score: float,
        finals: FinalHypotheses,
        spans: WordSpans,
        agreed: NDArray[np.float64],
    ) -> Hypothesis:
        units, frames = path(self._memory, finals.token[index])
        at = slice(spans.first[index], spans.first[index + 1])
        confidence = (agreed[at] * np.exp(spans.log_prob[at])).clip(0, 1)
        words = zip(
            self._words(spans, index),
            spans.start[at].tolist(),
            spans.end[at].tolist(),
            self._decoder.calibration(confidence).tolist(),
            strict=True,
        )
        return Hypothesis(
            text,
            score,
            tuple(units.tolist()),
            tuple(frames.tolist()),
            tuple(DecodedWord(*word) for word in words if word[0]),
            score - float(finals.weights[index]),
            float(finals.lm[index]) * math.log(10),
        )

    def _grow(self) -> None:
        """Makes room for a frame, after freeing histories and tokens where there are many."""
        if len(self._memory.tokens) + len(self._memory.histories) > _COMPACTED:
            search.compact(self._memory)
        needed = int(self._memory.counts[records.NEEDED])
        if needed > len(self._memory.following):
            self._memory = self._memory._replace(
                following=np.empty(2 * needed, records.STATE),
                slots=np.zeros(_table_size(2 * needed), np.int64),
            )
            self._memory.counts[records.STAMP] = 0
        self._reserve(needed, self._decoder.options.beam_size, 2 * needed)

    def _reserve(self, histories: int, tokens: int, spelled: int) -> None:
        """Makes room for more of each; an array that grows is doubled."""
        now, counts = self._memory, self._memory.counts.tolist()
        wanted = counts[records.HISTORIES] + histories
        if wanted > len(now.histories):
            grown = _resized(now.histories, 2 * wanted)
            slots = _table(grown["parent"], grown["word"], 1, counts[records.HISTORIES])
            now = now._replace(histories=grown, history_slots=slots)
        wanted = counts[records.TOKENS] + tokens
        if wanted > len(now.tokens):
            now = now._replace(tokens=_resized(now.tokens, 2 * wanted))
        wanted = counts[records.SPELLED] + spelled
        if wanted > len(now.spelled):
            grown = _resized(now.spelled, 2 * wanted)
            slots = _table(grown["parent"], grown["unit"], 0, counts[records.SPELLED])
            now = now._replace(spelled=grown, spelled_slots=slots)
        self._memory = now


def _empty_memory(beam_size: int, units: int, settings: SearchSettings) -> SearchMemory:
    """The search before the first frame: no words, as if after a blank."""
    room = max(4096, 16 * beam_size)
    spelled = room if settings.spelling else 1
    beam = np.zeros(beam_size, records.STATE)
    beam["blank"][0] = beam["best_blank"][0] = 1.0
    beam["token_blank"] = beam["token_unit"] = records.NONE
    histories = np.empty(room, records.HISTORY)
    beam["last"] = settings.separator
    histories[0] = (records.NONE, records.NONE, 0, settings.start, 0, 1.0, 0.0, 0.0)
    counts = np.zeros(8, np.int64)
    counts[[records.STATES, records.HISTORIES, records.SETTLED]] = 1
    return SearchMemory(
        beam,
        np.empty(room, records.STATE),
        np.zeros(_table_size(room), np.int64),
        histories,
        np.full(_table_size(room), records.NONE, np.int32),
        np.empty(room, records.TOKEN),
        np.empty(spelled, records.SPELLING),
        np.full(_table_size(spelled), records.NONE, np.int32),
        counts,
        np.zeros(1),
        np.zeros(units),
        np.zeros(units, np.int32),
    )


def _resized(array: Records, room: int) -> Records:
    grown = np.empty(room, array.dtype)
    grown[: len(array)] = array
    return grown


def _table(parent: Ints, key: Ints, first: int, last: int) -> Ints:
    """A hash table of (parent, key), filled with the entries from ``first`` to ``last``."""
    slots = np.empty(_table_size(len(parent)), np.int32)
    search.rehash(slots, parent, key, first, last)
    return slots


def _table_size(room: int) -> int:
    return 1 << (2 * room - 1).bit_length()
