"""The living demo: servers, worker, beat, web and the simulated city as processes of their own, met over HTTP.

`demo` lets time flow and serves pages; `demo --once` drives the same processes in lock-step, day by day, and tells in
figures what became of everything. Firms, banks and people are simulated and say so.
"""
