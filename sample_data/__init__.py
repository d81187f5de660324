"""The fictional Qinghe District, made from a seed: register, layers, terrain, and imagery with ground truth."""
