"""Matching (撮合对接): which products fit a demand, in which order, who is asked, and the one offer that is accepted.

A demand meets every open product; what does not fit is told with every failing clause. The best few lenders are asked
and have a clock of working days to indicate a range; the firm chooses among them, with a written authority for each
one's own credit query; only those bind themselves. The invariant of the room: no path, the first round, a replacement,
an operator's hand or a choice, reaches a lender whose own filter the applicant fails or to whom the firm gave no valid
consent.
"""
