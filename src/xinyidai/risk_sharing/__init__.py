"""Risk sharing (风险分担): cover, claims (代偿), recoveries, and the stop-loss (熔断) that pauses a line.

A disbursed loan is covered by the shares its reservation froze. When it is overdue long enough its lender claims lost
principal, two people of the fund review, and the parts are paid to the fen; what is recovered later goes back, costs
first, then to those who bore the loss. Cash, exposure and the claim on the borrower move in one journal each time.
"""
