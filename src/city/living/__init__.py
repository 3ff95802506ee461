"""The shell around the bots: it looks, performs, remembers, and lets time pass. Nothing is decided here."""
