"""Evidence, cases, notices and rights: the floor where flights and imagery meet the law (floor 3)."""
