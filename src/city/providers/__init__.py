"""The city's HTTP: clock, registers, the offices with their counters, credit history, faults on request."""
