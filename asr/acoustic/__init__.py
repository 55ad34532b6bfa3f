"""The acoustic model: the network in torch, its folder, checkpoint and card."""
