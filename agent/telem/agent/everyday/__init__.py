"""What is looked at every day: running totals, the status line, budgets, a live view."""
