"""A model on data sets: error rates, and the HTML report."""
