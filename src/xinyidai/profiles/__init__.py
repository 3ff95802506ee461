"""Profiles (信用画像): the indicators of a firm as of a moment, each with unit, meaning and where it comes from.

"No data" is never zero: a value is there or it is not, and every profile states the period and the number of source
rows behind it. The indicators are defined by this project and not official (本项目自定，非官方).
"""
