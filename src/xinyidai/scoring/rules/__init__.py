"""The domain of scoring: the scale from probability to points and bands, reasons in words, releases and reviews."""
