"""The zone desk: zones by where they come from, requests decided with reasons, and the register of decisions."""
