"""Indicators of many firms at once as of a moment: alone equals in a crowd, and the future changes nothing."""
