"""Nearest neighbours in memory."""
