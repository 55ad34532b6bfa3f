"""Everything that is learned by gradient: batches, losses, optimisers, state, and the loops."""
