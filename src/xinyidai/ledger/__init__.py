"""The ledger (账本): accounts, balanced journals, balances; it knows no loans.

Double entry in integer fen: every journal sums to zero in each of its books. One PostgreSQL function posts, and nothing
else writes: the web and the worker may call it and read. A key names each journal, so that a retry never posts twice.
Corrections are reversals; closed months (会计期间) stay closed.
"""
