"""Training itself: heads, fine-tuning, steps, optimisers, diagnostics, the state for resuming."""
