"""The city (模拟城市): the simulated outside world. Everything it makes is synthetic and says so.

It never imports the platform, nor the platform it: they meet over HTTP with API keys, as in life, and through files.
`world` is exogenous and pure; `bots` decide what firms, banks and the fund do next, purely from what they see; the
shell around them (`living`, `platform`, `store`, `providers`) talks, remembers and keeps the clock. Hidden truth leaves
only by `python -m city truth`.
"""
