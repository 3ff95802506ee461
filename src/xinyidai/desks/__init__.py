"""Desks (工作台): the start page and every page that joins rooms, and what each desk's navigation holds.

Composition only: reads through the rooms' own services and queries, no tables, no rules.
"""
