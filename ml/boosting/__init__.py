"""The boosted trees: fitting them with LightGBM, and reading a model's text into tables that score without it."""
