"""Model cards: what a model was trained on, how well it did, and where it must not be trusted."""
