"""Training itself: stages, steps, optimisers, signs of learning, the state for resuming."""
