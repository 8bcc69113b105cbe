"""What an operator does to a data folder: verify it, copy it, make its database anew."""
