"""Frames to try the models on: firms drawn from a seed, and readers of public data that the project does not carry."""
