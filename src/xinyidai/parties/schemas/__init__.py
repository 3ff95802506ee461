"""Parties and people on the wire."""
