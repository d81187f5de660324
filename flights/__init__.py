"""How we go there: plans, the law over them, missions, the link to the aircraft."""
