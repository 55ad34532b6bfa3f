"""The LSTM language model: network, file, scorer."""
