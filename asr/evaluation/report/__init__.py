"""One HTML page on an evaluation, which can be sent to a colleague as it is."""
