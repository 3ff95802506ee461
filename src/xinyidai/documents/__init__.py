"""Documents (文件): evidence and contracts, kept once, encrypted, and never changed.

What a file is, its bytes say and never its name; what cannot be told or could burst is refused. The bytes are sealed
under a key of their own, addressed by their SHA-256, and checked against it at every read. They are for their owner and
for those to whom a higher room opened them. Destroying one ends its key and its bytes and leaves its digest.
"""
