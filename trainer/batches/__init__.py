"""What a training step is given: P × K batches, drawn, read and augmented."""
