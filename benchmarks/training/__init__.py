"""What training gains on images that nobody here made, and what a peer gains on the same."""
