"""The input of a training step: P × K batches, sampled, read and augmented."""
