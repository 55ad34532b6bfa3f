"""Names that users choose from, for --help to list without importing the parts they stand for."""

ALIGNMENT_FORMATS = ("ctm", "json", "TextGrid")  # extensions of files
DECODERS = ("greedy", "beam")
PICTURE_FORMATS = (".png", ".svg", ".pdf")  # that matplotlib draws
TRANSCRIPT_FORMATS = ("trn", "txt", "jsonl", "json", "stm", "ctm", "srt", "vtt", "tsv")
