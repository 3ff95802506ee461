"""Demands (融资需求): a firm's request for finance, its life from draft to close, and who may read it.

A demand is the firm's own until it is dispatched; a lender reads it only while a reader row and the firm's consent are
both valid. What the firm is known to owe already is written down here by the loans room (known exposures, 已知敞口):
known on this platform, which is not the central bank's register.
"""
