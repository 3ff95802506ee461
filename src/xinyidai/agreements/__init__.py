"""Agreements (分担协议): who bears which part of a loss, on what terms, and how much of it at once.

A fund, a lender and perhaps a guarantor agree on shares in parts per million; the covered part of every accepted offer
takes capacity, held as accounts of the ledger's EXPOSURE book with a floor of zero. Minimum shares follow policy that
is kept as data with an effective date (国办发〔2019〕6号, 财金〔2025〕11号; unverified rows say so).
"""
