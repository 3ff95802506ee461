"""Loans (贷款): the credit line of an accepted offer, its drawdown, schedule, repayments, days past due, five classes.

The lender disburses and collects; the platform records what the lender reports and posts principal to the LENDING
book. Credit line (授信) and drawdown (用信) are kept apart. The five classes of 《商业银行金融资产风险分类办法》 (2023)
are floors by days past due, kept as data. Penalty interest is the lender's own and is not computed here.
"""
