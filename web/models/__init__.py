"""Models for those who teach them and those who let them be used: labels, questions, training, cards, approval."""
