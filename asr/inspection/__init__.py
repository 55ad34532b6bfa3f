"""Looking inside: what the gates remember, how far gradients reach, what each layer costs."""
