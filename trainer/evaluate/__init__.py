"""How good a model is: retrieval, intervals, calibration, comparison."""
