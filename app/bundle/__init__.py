"""A published model: its manifest, the store it lies in, the encoders that run it."""
