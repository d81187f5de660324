"""The demo: the whole line on the fictional district, told step by step."""
