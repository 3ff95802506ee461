"""Products (金融产品): what a lender offers, to whom and on what terms, with its conditions of eligibility as data.

A product is proposed by one person of the lender and published by another; its conditions are analysed before that, so
that none is published which nobody can meet. Terms never change: a change is a new version. A published product is
public information. Amount, term and rate are bounded by policy that is kept as data with an effective date.
"""
