"""Reporting (监管报送): what was lent, to whom by kind, how it goes and what it cost, and that it equals the ledger.

Reads the rooms below through SQL views and writes no one's table. Every number has a definition with a version
(`rules.METRICS`); statistics name lenders, districts and industries, never a firm.
"""
