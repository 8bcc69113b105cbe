"""One module for each command; each registers itself with the Typer application.

Those that need ``app`` or ``trainer`` import them when they run: without a clone there are none.
"""
