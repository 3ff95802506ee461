"""Partners (机构接入): the machine clients of banks, funds and data bureaus, and the keys they sign in with.

A key is bound to one organisation and to the scopes it was given. Its secret is shown once; the platform keeps only
the SHA-256 of it, which is enough against theft because the secret itself holds 256 random bits.
"""
