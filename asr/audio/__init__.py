"""Reading audio files as 16 kHz samples, segmentation at pauses, simulated degradation."""
