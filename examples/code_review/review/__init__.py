"""What the agents of the code review share: reading git, measuring source, writing reports."""
