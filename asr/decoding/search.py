"""The compiled part of the beam search: CTC prefix search over words (Hannun et al. 2014,
arXiv 1408.2873, algorithm 1, and Graves and Jaitly 2014).

Compiled by numba: it comes as a wheel wherever librosa does, so nobody needs a compiler; it keeps
machine code on disk, so only the first run on a machine waits for it; and it lets go of Python's
lock, so utterances are searched side by side in threads.

A *state* of the search is a word history and a node of the lexicon tree (or of the tree of words
spelled outside the lexicon). Its probability is the sum over all alignments that lead to it, in two
parts: of those that end in a blank and of those that end in the node's unit, because a repeated
unit is a new token only after a blank. States with different word histories are never joined, so
the hypotheses of the last frame are exact; pronunciations of a word are joined where the word ends.

Probabilities are not logarithms here but numbers, scaled back before they grow too small: a frame
then costs additions and multiplications, and one exponential for each unit tried. They carry the
weights of all words before, and within a word the *look-ahead*, the weight of the best word below
the node, which the word's own weight replaces at its end.

Beside each sum runs the probability of the best single alignment and its tokens, which give the
times.

All functions that call each other stay in this one file: what numba keeps on disk is good for as
long as the file of the function that Python calls is unchanged, whatever that calls elsewhere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.decoding.search_arrays import (
    FRAMES,
    HISTORIES,
    NEEDED,
    NONE,
    ROOT,
    SETTLED,
    SPELLED,
    STAMP,
    STATES,
    TOKENS,
    Floats,
    Hot,
    Ints,
    Model,
    Readings,
    Records,
    Scratch,
    Search,
    Tables,
)
from asr.runtime.jit import compiled, uncounted

# How much likelier than its look-ahead a word may turn out at its end: where the beam is full, a
# word is not looked up in the language model if even that would give it no place.
RESCUE = 50.0


@uncounted
def number(value: Any) -> Any:
    """An integer of 64 bits; with one width of integers, few variants are compiled."""
    return np.int64(value)


@uncounted
def double(value: Any) -> Any:
    """A number in double precision."""
    return np.float64(value)


@compiled
def advance(rows: NDArray[np.floating], first: int, tables: Tables, search: Search) -> int:
    """Reads frames from ``first`` on; stops short of a frame for which the arrays are too small.

    Returns:
        The frames read in all; if there are more, ``counts[NEEDED]`` says how many states the next
        one may lead to.
    """
    units, states, words = len(search.prob), len(search.following), tables.settings.most_words + 1
    scratch = Scratch(
        option=np.empty(units, np.int64),
        option_child=np.empty(units, np.int64),
        target=np.empty(words, np.int64),
        target_node=np.empty(words, np.int64),
        gain=np.empty(words, np.float64),
        best_of=np.zeros(len(search.slots), np.int64),
        slot_of=np.empty(states, np.int64),
        ranked=np.empty(states, np.float64),
    )
    for t in range(first, len(rows)):
        if not _read(rows[t], tables, search, scratch):
            return t
    return len(rows)


@uncounted
def _read(row: NDArray[np.floating], tables: Tables, search: Search, scratch: Scratch) -> bool:
    """Reads a frame, if there is room for all that it may lead to."""
    count, prob, tried, settings = search.counts, search.prob, search.tried, tables.settings
    units, ends = _try(row, settings.token_threshold, settings.separator, tried)
    states = count[STATES]
    if units == 0:  # nothing can happen but blanks, which don't change the order of states
        if count[SETTLED] == 0:
            _settle(search.beam, states, count[FRAMES])
            count[SETTLED] = 1
        search.level[0] += row[0]
        count[FRAMES] += 1
        return True

    ended = states * ends * settings.most_words
    needed = states * (1 + units) + ended
    if (
        needed > len(search.following)
        or count[HISTORIES] + ended > len(search.histories)
        or count[TOKENS] + settings.beam_size > len(search.tokens)
        or (settings.spelling and count[SPELLED] + 2 * states * units > len(search.spelled))
    ):
        count[NEEDED] = needed
        return False

    count[SETTLED] = 0
    count[STAMP] += 1
    for j in range(units):
        prob[tried[j]] = math.exp(double(row[tried[j]]))
    best, least = _stay(search, math.exp(double(row[0])))
    if states < settings.beam_size:
        least = 0.0  # else what is less likely than all of these has no place in the beam
    reached, best = _go_on(tables, search, scratch, units, best, least)
    if best > 0:
        bar = best * settings.narrowest
        if settings.dominated > 0:
            # What is dropped makes room for those behind it.
            most = 2 * settings.beam_size
            _recombine(search, scratch, reached, bar, most, settings.dominated)
        _survive(search, scratch, reached, best, settings.beam_size, bar, row)
    # else no state can read the frame, which is passed over
    for j in range(units):
        prob[tried[j]] = 0.0
    count[FRAMES] += 1
    return True


@uncounted
def _stay(search: Search, blank: float) -> tuple[float, float]:
    """Where the states lead without a new token, but for a separator after a separator.

    Returns:
        The probabilities of the likeliest and of the least likely.
    """
    beam, following, slots = search.beam, search.following, search.slots
    prob, frame, stamp = search.prob, search.counts[FRAMES], search.counts[STAMP]
    best, least = 0.0, math.inf
    for i in range(search.counts[STATES]):
        now, then = beam[i], following[i]
        history, node, last = number(now.history), number(now.node), now.last
        total, p = now.blank + now.unit, prob[last]
        then.history, then.node, then.last, then.fresh = history, node, last, NONE
        then.blank, then.unit = total * blank, now.unit * p
        then.best_unit, then.token_unit = now.best_unit * p, now.token_unit
        if now.best_unit > now.best_blank:
            then.best_blank, then.token_blank = now.best_unit * blank, now.token_unit
            then.end = frame
        else:
            then.best_blank, then.token_blank = now.best_blank * blank, now.token_blank
            then.end = now.end
        if node == ROOT and p > 0:
            then.unit = total * p
            if now.best_blank > now.best_unit:
                then.best_unit, then.token_unit = now.best_blank * p, now.token_blank
                then.fresh = now.end
        then.total = then.blank + then.unit
        best, least = max(best, then.total), min(least, then.total)
        _, slot = _find(slots, following, history, node, stamp)
        slots[slot] = (stamp << 32) | i
    return best, least


@uncounted
def _go_on(
    tables: Tables,
    search: Search,
    scratch: Scratch,
    units: int,
    best: float,
    least: float,
) -> tuple[int, float]:
    """The states that a new token leads to, behind those that are there without one.

    Args:
        best: the probability of the likeliest of these,
        least: and what a state must have to find a place in the beam.

    Returns:
        How many states are reached in all, and the likeliest one's probability.
    """
    beam, following, slots = search.beam, search.following, search.slots
    spelled, spelled_slots = search.spelled, search.spelled_slots
    count, prob, tried = search.counts, search.prob, search.tried
    lexicon, settings = tables.lexicon, tables.settings
    tree, leave = lexicon.node, lexicon.leave
    root_child, begins = lexicon.root_child, lexicon.begins
    inside = len(leave)
    spelling, separator, look_ahead = settings.spelling, settings.separator, settings.look_ahead
    narrowest, greatest_step = settings.narrowest, settings.greatest_step
    option, option_child = scratch.option, scratch.option_child
    target, target_node, gain = scratch.target, scratch.target_node, scratch.gain
    states, frame, stamp = count[STATES], count[FRAMES], count[STAMP]
    reached = states
    for i in range(states):
        now = beam[i]
        history, node, last = number(now.history), number(now.node), number(now.last)
        total = now.blank + now.unit
        if now.best_unit > now.best_blank:
            peak_all, token_all, before_all = now.best_unit, now.token_unit, frame
        else:
            peak_all, token_all, before_all = now.best_blank, now.token_blank, number(now.end)
        has_words = node < inside and _ends_word(tree, node)

        # A node has fewer children, as a rule, than there are units tried.
        options = 0
        if spelling or node == ROOT or (separator == 0 and has_words):
            for j in range(units):
                u = number(tried[j])
                option[options] = u
                option_child[options] = NONE
                if node < inside and u != separator:
                    option_child[options] = _below(tree, root_child, node, u)
                options += 1
        else:
            for child in range(number(tree[node].first_child), number(tree[node + 1].first_child)):
                u = number(tree[child].unit)
                if prob[u] > 0:
                    option[options], option_child[options] = u, child
                    options += 1
            if has_words and prob[separator] > 0:
                option[options], option_child[options] = separator, NONE
                options += 1

        for j in range(options):
            u, child = option[j], option_child[j]
            mass = prob[u] * (now.blank if u == last else total)
            if not mass * greatest_step > best * narrowest or (u == separator and node == ROOT):
                continue

            # Where the unit leads: on in the word,
            targets, into, enter = 0, ROOT, 1.0
            if u != separator:
                step = 1.0
                if node < inside:
                    step = tree[child].step if child != NONE else look_ahead * leave[node]
                if child == NONE and spelling and (node == ROOT or not begins[u]):
                    child = inside + _spell(spelled, spelled_slots, count, node, u)
                if child != NONE:
                    target[0], target_node[0], gain[0] = history, child, step
                    targets = 1
                into = NONE
                if begins[u] and node != ROOT:
                    if root_child[u] > 0:
                        into = number(root_child[u])
                        enter = tree[into].step
                    elif spelling:
                        into = inside + _spell(spelled, spelled_slots, count, ROOT, u)
                        enter = look_ahead
            # or to the end of one.
            if into != NONE and mass * RESCUE >= least and (spelling or has_words):
                within = targets
                targets = _end_word(tables, search, history, node, target, gain, targets)
                for k in range(within, targets):
                    target_node[k] = into
                    gain[k] *= enter

            peak, token, before = peak_all, token_all, before_all
            if u == last:
                peak, token, before = now.best_blank, now.token_blank, number(now.end)
            peak *= prob[u]
            for k in range(targets):
                share = mass * gain[k]
                if not share > best * narrowest:
                    continue
                at, slot = _find(slots, following, target[k], target_node[k], stamp)
                then = following[at]
                if at == NONE:
                    if share < least:
                        continue
                    at = reached
                    reached += 1
                    slots[slot] = (stamp << 32) | at
                    then = following[at]
                    then.history, then.node, then.last = target[k], target_node[k], u
                    then.blank = then.unit = then.total = 0.0
                    then.best_blank = then.best_unit = 0.0
                    then.token_blank = then.token_unit = then.fresh = NONE
                    then.end = 0
                then.unit += share
                then.total += share
                best = max(best, then.total)
                if peak * gain[k] > then.best_unit:
                    then.best_unit = peak * gain[k]
                    then.token_unit, then.fresh = token, before
    return reached, best


@uncounted
def _try(
    row: NDArray[np.floating], threshold: float, separator: int, tried: Ints
) -> tuple[int, int]:
    """Notes the units to be tried; how many they are, and how many may end a word."""
    top = row[0]
    for u in range(1, len(row)):
        top = max(top, row[u])
    least = min(threshold, top)
    units = ends = 0
    for u in range(1, len(row)):
        if row[u] >= least:
            tried[units] = u
            units += 1
            ends += separator == 0 or separator == u
    return units, ends


@uncounted
def _settle(beam: Records, states: int, frame: int) -> None:
    """All alignments go on with a blank, whose probability is left to the caller."""
    for i in range(states):
        beam[i].blank += beam[i].unit
        beam[i].unit = 0.0
        if beam[i].best_unit > beam[i].best_blank:
            beam[i].best_blank = beam[i].best_unit
            beam[i].token_blank = beam[i].token_unit
            beam[i].end = frame
        beam[i].best_unit = 0.0


@uncounted
def _ends_word(tree: Records, node: int) -> bool:
    """Whether a word of the lexicon ends at a node of its tree."""
    ends: bool = tree[node].first_word < tree[node + 1].first_word
    return ends


@uncounted
def _below(tree: Records, root_child: Ints, node: int, u: int) -> int:
    """The child of a node of the tree by ``u``, or NONE."""
    if node == ROOT:
        return number(root_child[u]) if root_child[u] > 0 else NONE
    low, end = number(tree[node].first_child), number(tree[node + 1].first_child)
    high = end
    while low < high:
        middle = (low + high) >> 1
        if tree[middle].unit < u:
            low = middle + 1
        else:
            high = middle
    return low if low < end and tree[low].unit == u else NONE


@uncounted
def _spell(spelled: Records, slots: Ints, count: NDArray[np.int64], node: int, u: int) -> int:
    """The number of the spelled node below ``node``, noted if it is new."""
    mask = len(slots) - 1
    slot = _hash(node, u) & mask
    while slots[slot] != NONE:
        found: int = number(slots[slot])
        if spelled[found].parent == node and spelled[found].unit == u:
            return found
        slot = (slot + 1) & mask
    new: int = number(count[SPELLED])
    count[SPELLED] += 1
    slots[slot] = new
    spelled[new].parent = node
    spelled[new].unit = u
    return new


@uncounted
def _end_word(
    tables: Tables,
    search: Search,
    history: int,
    node: int,
    target: NDArray[np.int64],
    gain: Floats,
    targets: int,
) -> int:
    """Appends the histories to which the words at ``node`` lead, and the factors for them."""
    lexicon, settings, tree = tables.lexicon, tables.settings, tables.lexicon.node
    known, slots = search.histories, search.history_slots
    inside = len(lexicon.leave)
    first = last = number(0)
    if node < inside:
        first, last = number(tree[node].first_word), number(tree[node + 1].first_word)
    unknown = first == last and settings.spelling
    for k in range(first, last + unknown):
        if unknown:
            word = len(lexicon.lm_word) + node
            weight = lexicon.leave[node] if node < inside else 1 / settings.look_ahead
        else:
            word = number(lexicon.word[k])
            weight = lexicon.weight[k]
        slot = _known(known, slots, history, word)
        if slots[slot] == NONE:
            slots[slot] = _extend(tables, search, history, word)
        after = number(slots[slot])
        target[targets] = after
        gain[targets] = known[after].gain * weight
        targets += 1
    return targets


@uncounted
def _known(known: Records, slots: Ints, history: int, word: int) -> int:
    """The slot of the history that ``word`` makes of ``history``, free if there is none yet."""
    mask = len(slots) - 1
    slot: int = _hash(history, word) & mask
    while slots[slot] != NONE:
        found = number(slots[slot])
        if known[found].parent == history and known[found].word == word:
            break
        slot = (slot + 1) & mask
    return slot


@uncounted
def _extend(tables: Tables, search: Search, history: int, word: int) -> int:
    """Notes the history that ``word`` makes of ``history``, with its scores."""
    lexicon, hot, settings = tables.lexicon, tables.hot, tables.settings
    known = search.histories
    new: int = number(search.counts[HISTORIES])
    search.counts[HISTORIES] += 1

    inside = word < len(lexicon.lm_word)
    id_ = number(lexicon.lm_word[word]) if inside else number(0)
    log10, state = _score(tables.model, settings.top, number(known[history].state), id_)
    extra = settings.word_bonus
    favour = 0
    if inside:
        favour = _follow(hot, number(known[history].hot), word)
        extra += hot.earned[favour] + hot.credit[favour] - hot.credit[known[history].hot]
    else:
        extra += settings.unknown_penalty - hot.credit[known[history].hot]
    known[new].parent = history
    known[new].word = word
    known[new].depth = known[history].depth + 1
    known[new].state = state
    known[new].hot = favour
    known[new].gain = math.exp(settings.lm_weight * log10 + extra)
    known[new].lm = known[history].lm + log10
    known[new].extra = known[history].extra + extra
    return new


@uncounted
def _score(model: Model, top: int, state: int, word: int) -> tuple[float, int]:
    """log10 P(word | state) and the next state (asr.ngram.NgramModel.score)."""
    total = 0.0
    while state != 0:
        low, end = number(model.first_child[state]), number(model.first_child[state + 1])
        high = end
        while low < high:
            middle = (low + high) >> 1
            if model.word[middle] < word:
                low = middle + 1
            else:
                high = middle
        if low < end and model.word[low] == word:
            break
        total += model.backoff[state]
        state = number(model.suffix[state])
    else:
        low = 1 + word
    total += model.log_prob[low]
    return total, low if low < top else number(model.suffix[low])


@uncounted
def _follow(hot: Hot, state: int, word: int) -> int:
    """The hot words' state after ``word``."""
    while state != 0:
        low: int = number(hot.first_child[state])
        end = number(hot.first_child[state + 1])
        while low < end:
            middle = (low + end) >> 1
            if hot.word[middle] < word:
                low = middle + 1
            else:
                end = middle
        if low < hot.first_child[state + 1] and hot.word[low] == word:
            return low
        state = number(hot.fallback[state])
    child: int = number(hot.root_child[word])
    return child


@uncounted
def _hash(a: int, b: int) -> int:
    mixed = (a * 0x2545F491 + b) * 0x9E3779B97F4A7C1
    return mixed ^ (mixed >> 32)


@uncounted
def _find(
    slots: NDArray[np.int64], states: Records, history: int, node: int, stamp: int
) -> tuple[int, int]:
    """Where a state stands among those of this frame, or NONE, and its slot."""
    mask = len(slots) - 1
    slot = _hash(history, node) & mask
    while slots[slot] >> 32 == stamp:
        at = slots[slot] & 0xFFFFFFFF
        if states[at].history == history and states[at].node == node:
            return at, slot
        slot = (slot + 1) & mask
    return NONE, slot


@uncounted
def _recombine(
    search: Search, scratch: Scratch, reached: int, bar: float, most: int, dominated: float
) -> None:
    """Takes their probability from states that a likelier one with the same future outdoes.

    What lies ahead of two states is the same if the language model and the hot words are in the
    same state and the node is the same: they keep their distance, but for the share that ends in a
    blank, and the one that is behind stays there.

    Args:
        bar: less likely states are not looked at, nor more than ``most``, the likeliest.
    """
    states, histories, stamp = search.following, search.histories, search.counts[STAMP]
    best_of, slot_of = scratch.best_of, scratch.slot_of
    above = _rank(states, reached, bar, scratch.ranked)
    if above > most:
        bar, _ = _bar(scratch.ranked, above, most)
    for i in range(reached):
        if states[i].total > bar:
            found, slot = _alike(states, histories, best_of, stamp, i)
            slot_of[i] = slot
            if found == NONE or states[i].total > states[found].total:
                best_of[slot] = (stamp << 32) | i
    for i in range(reached):
        if states[i].total > bar:
            likelier = best_of[slot_of[i]] & 0xFFFFFFFF
            if states[i].total < states[likelier].total * dominated:
                states[i].total = 0.0


@uncounted
def _alike(
    states: Records, histories: Records, best_of: NDArray[np.int64], stamp: int, i: int
) -> tuple[int, int]:
    """The state noted for the future of state ``i``, or NONE, and its slot."""
    mine = histories[states[i].history]
    node, last = states[i].node, states[i].last
    mask = len(best_of) - 1
    slot = _hash(_hash(number(mine.state), number(mine.hot)), number(node)) & mask
    while best_of[slot] >> 32 == stamp:
        at = best_of[slot] & 0xFFFFFFFF
        other = histories[states[at].history]
        if (
            states[at].node == node
            and states[at].last == last
            and other.state == mine.state
            and other.hot == mine.hot
        ):
            return at, slot
        slot = (slot + 1) & mask
    return NONE, slot


@uncounted
def _survive(
    search: Search,
    scratch: Scratch,
    reached: int,
    best: float,
    beam_size: int,
    bar: float,
    row: NDArray[np.floating],
) -> None:
    """Takes over into the beam the best of the states reached, in the order they stand."""
    beam, following, tokens, count = search.beam, search.following, search.tokens, search.counts
    ties = _rank(following, reached, bar, scratch.ranked)
    if ties > beam_size:
        bar, ties = _bar(scratch.ranked, ties, beam_size)

    scale = 1.0
    if not 1e-60 < best < 1e60:
        scale = 1 / best
        search.level[0] += math.log(best)
    kept = 0
    for i in range(reached):
        total = following[i].total
        if total < bar or (total == bar and ties == 0) or total == 0:
            continue
        if total == bar:
            ties -= 1
        token = following[i].token_unit
        if following[i].fresh != NONE:
            new = count[TOKENS]
            count[TOKENS] += 1
            tokens[new].parent = token
            tokens[new].unit = following[i].last
            tokens[new].frame = count[FRAMES]
            tokens[new].before = following[i].fresh
            tokens[new].history = following[i].history
            tokens[new].log_prob = row[following[i].last]
            token = new
        beam[kept] = following[i]
        beam[kept].blank *= scale
        beam[kept].unit *= scale
        beam[kept].best_blank *= scale
        beam[kept].best_unit *= scale
        beam[kept].token_unit = token
        kept += 1
    count[STATES] = kept


@uncounted
def _rank(states: Records, reached: int, bar: float, ranked: Floats) -> int:
    """Lists the probabilities above ``bar``; how many they are."""
    above = 0
    for i in range(reached):
        if states[i].total > bar:
            ranked[above] = states[i].total
            above += 1
    return above


@uncounted
def _bar(values: Floats, count: int, wanted: int) -> tuple[float, int]:
    """The ``wanted``-th greatest of ``values``, and how many of those equal to it are among them.

    Hoare's selection; the values lose their order.
    """
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted - 1 <= j:
            high = j
        elif wanted - 1 >= i:
            low = i
        else:
            break
    bar = values[wanted - 1]
    ties = 0
    for i in range(wanted):
        if values[i] == bar:
            ties += 1
    return bar, ties


@compiled
def close(tables: Tables, search: Search, sentence_end: int) -> Readings:
    """Ends the utterance: completes words, scores the end and takes back what hot words owe.

    Where no state stands at the end of a word, the words begun are left out.

    Args:
        sentence_end: the language model's id of </s>.
    """
    lexicon, hot, settings = tables.lexicon, tables.hot, tables.settings
    beam, count, known = search.beam, search.counts, search.histories
    target = np.empty(settings.most_words + 2, np.int64)
    gain = np.empty(len(target), np.float64)
    most = count[STATES] * (settings.most_words + 1)
    history, token, end = (
        np.empty(most, np.int32),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
    )
    mass, peak = np.zeros(most, np.float64), np.zeros(most, np.float64)
    place = np.full(count[HISTORIES] + most, NONE, np.int64)
    readings = 0
    finished = False  # whether a state stands where a word may end
    for i in range(count[STATES]):
        node = number(beam[i].node)
        ends = node == ROOT or settings.spelling
        finished |= ends or _ends_word(lexicon.node, node)
    for i in range(count[STATES]):
        node = number(beam[i].node)
        if node == ROOT or not finished:
            target[0], gain[0] = beam[i].history, 1.0
            targets = 1
        else:
            targets = _end_word(
                tables,
                search,
                number(beam[i].history),
                node,
                target,
                gain,
                0,
            )
        for k in range(targets):
            at = place[target[k]]
            if at == NONE:
                at = place[target[k]] = readings
                readings += 1
                history[at] = target[k]
                token[at], end[at] = NONE, 0
            mass[at] += (beam[i].blank + beam[i].unit) * gain[k]
            if beam[i].best_unit > beam[i].best_blank:
                best, last, behind = beam[i].best_unit, beam[i].token_unit, count[FRAMES]
            else:
                best, last, behind = beam[i].best_blank, beam[i].token_blank, number(beam[i].end)
            if best * gain[k] > peak[at]:
                peak[at] = best * gain[k]
                token[at], end[at] = last, behind

    score, lm = np.empty(readings, np.float64), np.empty(readings, np.float64)
    weights = np.empty(readings, np.float64)
    for r in range(readings):
        h = history[r]
        log10, _ = _score(tables.model, settings.top, number(known[h].state), sentence_end)
        lm[r] = known[h].lm + log10
        last = settings.lm_weight * log10 - hot.credit[known[h].hot]
        score[r] = math.log(max(mass[r], 1e-300)) + search.level[0] + last
        weights[r] = settings.lm_weight * lm[r] + known[h].extra - hot.credit[known[h].hot]
    return Readings(history[:readings], score, lm, weights, token[:readings], end[:readings])


@compiled
def sweep(search: Search) -> None:
    """Drops histories and tokens that no state of the beam builds on, keeping the others' order."""
    beam, known, tokens, count = search.beam, search.histories, search.tokens, search.counts
    states = count[STATES]

    renumbered = np.full(count[TOKENS] + 1, NONE, np.int32)  # new numbers; NONE stays NONE
    for i in range(states):
        renumbered[beam[i].token_blank] = renumbered[beam[i].token_unit] = 0
    for i in range(count[TOKENS] - 1, -1, -1):
        if renumbered[i] != NONE:
            renumbered[tokens[i].parent] = 0
    renumbered[NONE] = NONE
    alive = np.zeros(count[HISTORIES], np.bool_)
    alive[0] = True
    kept = 0
    for i in range(count[TOKENS]):
        if renumbered[i] != NONE:
            renumbered[i] = kept
            alive[tokens[i].history] = True
            tokens[kept] = tokens[i]
            tokens[kept].parent = renumbered[tokens[kept].parent]
            kept += 1
    count[TOKENS] = kept
    for i in range(states):
        beam[i].token_blank = renumbered[beam[i].token_blank]
        beam[i].token_unit = renumbered[beam[i].token_unit]
        alive[beam[i].history] = True

    renumbered = np.full(count[HISTORIES], NONE, np.int32)
    for h in range(count[HISTORIES] - 1, 0, -1):
        if alive[h]:
            alive[known[h].parent] = True
    kept = 0
    for h in range(count[HISTORIES]):
        if alive[h]:
            renumbered[h] = kept
            known[kept] = known[h]
            known[kept].parent = renumbered[known[kept].parent] if h else NONE
            kept += 1
    count[HISTORIES] = kept
    for i in range(count[TOKENS]):
        tokens[i].history = renumbered[tokens[i].history]
    for i in range(states):
        beam[i].history = renumbered[beam[i].history]
    rehash(search.history_slots, known["parent"], known["word"], 1, kept)


@compiled
def rehash(slots: Ints, parent: Ints, key: Ints, first: int, last: int) -> None:
    """Fills the table of (parent, key) with the entries from ``first`` to ``last``."""
    slots[:] = NONE
    mask = len(slots) - 1
    for entry in range(first, last):
        slot = _hash(number(parent[entry]), number(key[entry])) & mask
        while slots[slot] != NONE:
            slot = (slot + 1) & mask
        slots[slot] = entry
