"""The check of a plan: everything that it is judged by, and what it is judged against."""
