"""Training itself: stages, steps, optimisers, diagnostics, the state for resuming."""
