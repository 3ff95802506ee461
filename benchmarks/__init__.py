"""Measured claims: one file each, with its peers and its limit in the same run."""
