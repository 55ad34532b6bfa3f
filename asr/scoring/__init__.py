"""Reference against hypothesis: error rates, intervals, comparison, tables. No model is needed."""
