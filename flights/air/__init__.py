"""The air that flights hold, in four dimensions."""
