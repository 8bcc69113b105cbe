"""Untrusted bytes to RGB uint8, and the image files of folders."""
