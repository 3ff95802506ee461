"""Records: the facts of all sources but invoices, one typed table a catalogue item, read and merged by one code."""
