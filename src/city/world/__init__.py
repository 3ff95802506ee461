"""The exogenous world: calendar, weather, firms, their months, invoices, risk and earlier loans. Pure.

Everything here is a function of (seed, name of the thing, month or day), so it is the same whatever else was asked
before, in which process and in which order; nothing here knows of the platform, of HTTP or of the time of day.
"""
