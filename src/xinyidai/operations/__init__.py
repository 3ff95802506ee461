"""Operations (运行维护): how the platform itself runs, and letting what failed be tried again.

For the operator's people. What is tried again is written down with who asked and why; the work itself is as idempotent
as any delivery or job, so a second try changes nothing that is done.
"""
