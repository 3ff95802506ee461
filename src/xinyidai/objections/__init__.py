"""Objections (异议修复): a firm disputes one fact about itself, or asks that a record it has made good is let go.

An objection (异议) is accepted, asked at the source and upheld or refused; upheld, a correction comes by the ordinary
door of deliveries. While it is open the fact is marked as disputed. A repair (信用修复) is decided by two people of the
operator; from then on no new profile, score or match may use the record where the rule in force says so (国家发展改革委
令第36号, from 2026-04-01), and old decisions replay with what they knew. Clocks are working days and policy data.
"""
