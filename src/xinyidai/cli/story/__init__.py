"""The first loan as a story, told by `case`: the same services as any other user, step by step.

Institutions and people are simulated and say so. Each act opens its own transaction as the person who does it.
"""
