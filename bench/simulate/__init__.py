"""The shared pace in virtual time: the functions' own pacing code, no sleeping, no real clock."""
