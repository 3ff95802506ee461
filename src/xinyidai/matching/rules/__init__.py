"""The rules of matching, all pure: states, eligibility, ranking, offers and what they cost."""
