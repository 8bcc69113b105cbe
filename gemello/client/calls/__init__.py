"""The calls of the API, as values: what is sent, and what the answer becomes. Nothing is sent here.

Each function builds the call of the client's method of the same name, which documents it.
"""
