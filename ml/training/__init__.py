"""From a frame of indicators and outcomes to a model bundle: the frozen choices, the folds, the fit."""
