"""Makes a bundle of an encoder that others trained: a file in, a checked and published model out."""
