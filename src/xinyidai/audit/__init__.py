"""Audit (审计留痕): who did what to whose data, when, for which purpose and under which consent.

One append-only row per act, written in the transaction that acts, so that there is no reading without its row. Sealed
into Merkle blocks within a minute. 征信业管理条例 Art. 20 and PIPL Art. 55 ask for the record; the subject can read it.
"""
