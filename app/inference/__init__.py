"""Bytes to vectors: decoding, batching, and the model that serves."""
