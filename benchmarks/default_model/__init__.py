"""The tables of the default model's card: on pictures that its training never saw."""
