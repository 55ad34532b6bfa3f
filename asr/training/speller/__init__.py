"""The speller, a recurrent layer of the main head's own, trained on text.

Some hours of speech hold too few words to learn English spelling from; millions of words of text
hold enough. Encoder outputs for a text are synthesised by unit selection from the encoder outputs
of recordings (:mod:`asr.training.speller.segment_inventory`): behind the encoder neither the voice
nor the joints matter. The speller is trained on both with the CTC loss; the encoder stays fixed.
"""
