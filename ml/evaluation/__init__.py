"""How good a model is on rows it never saw."""
