"""What the actors of the city do next, decided purely from what they know and see; the shell performs it.

Each actor is a small machine: `look` says what it must see at its stage, `next_act` decides, `after` says what it knows
once the platform has answered. Every act names itself by natural keys, so that an act repeated after a crash carries
the same idempotency key.
"""
