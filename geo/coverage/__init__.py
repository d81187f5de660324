"""What devices see: footprints, how often each place is seen, and what nobody sees."""
