"""Data quality (数据质量): rules as data over the facts of every item, what they found, returning and correcting.

A rule is a row with a condition in a small closed language. It never changes a fact: it finds what its sender is to
look at, and a finding ends when a later delivery corrects the fact or the operator waives it with a reason. Follows
the quality system of the city's credit plan (数据治理规则, 不合格数据反馈修正机制).
"""
