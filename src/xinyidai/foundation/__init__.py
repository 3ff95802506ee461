"""The ground under every room: settings, money, clocks, ids, errors, database, outbox, sealing, timetable, cipher.

No business noun may appear here. A room imports what it needs from the module that holds it.
"""
