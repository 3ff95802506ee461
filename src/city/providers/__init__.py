"""The city's HTTP: clock, registry, tax provider, credit history."""
