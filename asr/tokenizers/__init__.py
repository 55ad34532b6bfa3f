"""Text to the units that a model emits, and back."""
