"""The review desk: a machine proposes, a qualified officer decides."""
