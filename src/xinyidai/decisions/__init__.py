"""Decisions (决策回放): every automated decision with its inputs, versions, outcome and reasons, and its replay.

A decision keeps the canonical vector it was made from, sealed under a key of the subject's own; destroying the key is
the end of retention. 《个人信息保护法》 article 24: whoever is decided about by a machine may have it explained.
"""
