"""What every module that trains shares: optimisers, schedules, objectives, evaluation."""
