"""The desks of those who review and approve: check-lists, whole files, decisions."""
