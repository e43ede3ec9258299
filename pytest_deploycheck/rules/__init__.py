"""Rules from outside that several checks share, as data and pure functions: no I/O, no pytest."""
