"""Windows of readings by sensor, kept in memory and rebuilt from the log: what they hold follows from its end alone."""
