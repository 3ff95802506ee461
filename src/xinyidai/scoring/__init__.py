"""Scoring (评分): probability of default, points and band of a firm, with reasons, by a model that two people released.

Bands are the integers 1 to 10, never letters: the public evaluation has letters, and the two share no column and no
word. Scoring for lenders is credit-reference business (征信业务管理办法): every score is recorded, explained, and
may be looked at again by a person.
"""
