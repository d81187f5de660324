"""The shared language of the house: words, tables, law as data, the machine and the store (floor 0)."""
