"""The city (模拟城市): the simulated outside world. Everything it makes is synthetic and says so.

It never imports the platform, nor the platform it: they meet through files and HTTP, as in life. So far it writes the
files that a tax bureau, a registry and lenders would drop; firms, their hidden quality and their months are pure
functions of (seed, credit code), so the same seed gives the same bytes.
"""
