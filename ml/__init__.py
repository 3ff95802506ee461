"""Frames and numbers in, frames and numbers out: indicators, the default model, its reasons, and the lending plan.

Knows nothing of the platform: no database, no clock, no room. Money is int64 fen, rates are integer basis points,
probabilities leave as integer parts per million; floats live in between and nowhere else in the project.
"""
