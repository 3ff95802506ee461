"""The domain of loans: schedules, repayment, arrears, states. Pure."""
