"""The speller: the layer of the main head's own, and how it learns to spell from text.

Some hours of speech hold too few words to learn from how English is spelled, millions of words of
text hold enough. So what the encoder would say if somebody read the text is put together of what
it said of the recordings (:mod:`asr.training.speller.bank`): as unit selection makes speech (Hunt
and Black 1996), but behind the encoder, where no voice and no joint can be heard. The speller is
trained on both, with the CTC loss, while the encoder stays as it is.
"""
