"""Labelled images in: read, checked, divided, decoded once into a cache on disk."""
