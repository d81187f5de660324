"""Remote identification: decoded from the line or from broadcasts, and held against the register."""
