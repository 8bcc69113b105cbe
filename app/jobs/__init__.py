"""Long work: the table of jobs, the thread that runs them, imports, activation of another model."""
