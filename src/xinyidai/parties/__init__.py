"""Parties (主体): firms, sole traders, lenders, guarantors, funds, agencies; their people; the tables they refer to.

A party is known by its unified social credit code (统一社会信用代码, GB 32100-2015). The code names the district of
first registration for life, so a party's district is a fact of its own and is never read from the code. Regions,
industries (GB/T 4754-2017) and size classes (工信部联企业〔2011〕300号) are data with dates.
"""
