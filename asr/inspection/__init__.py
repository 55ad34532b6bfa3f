"""Inspection of a model: gates and their memory, reach of gradients, cost of layers."""
