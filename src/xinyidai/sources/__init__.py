"""Sources (数据归集): facts of outside systems come in by one door, are checked by row, and never overwritten.

A delivery is checked against what the catalogue lists and what each firm consented to; every failing rule of every row
is named, bad rows are kept aside for their sender, and the rest becomes facts with their file and line. Facts are
bitemporal: the day they were issued, and when the platform learned and unlearned them. They are sealed by delivery.
"""
