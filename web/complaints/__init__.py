"""The desk of those who answer complaints, questions and reports of errors (GD-45.1)."""
