"""The domain of profiles: readings of indicators in integers and words, and the fingerprint of the facts read."""
