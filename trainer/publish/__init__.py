"""A trained network → the next version of a model: exported, measured, reported, published."""
