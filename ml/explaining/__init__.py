"""Why a firm scored as it did: the exact share of each indicator in its log-odds."""
