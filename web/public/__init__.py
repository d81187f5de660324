"""What anyone sees without a login; everything here reads the views of `public_map` and nothing else."""
