"""Catalogue (信息目录): which items of information exist, who owns them, on what terms the platform may hold them.

The platform collects only what is listed here, as the plan asks (信息目录动态更新). Every item is effective-dated, so
a decision of last year can be read with last year's terms. How an item reaches a lender (held copy, in the owner's
domain, passed through) is its topology; a legal basis that nobody has checked against the issuer's text says so.
"""
