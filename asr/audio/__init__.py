"""Sound files to 16 kHz samples, segmentation at pauses, simulated degradation."""
