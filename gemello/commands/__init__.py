"""One module for each command; each registers itself with the Typer application."""
