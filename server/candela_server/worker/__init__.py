"""Work that nobody waits for: the pipeline's timetable, the outbox, and test clocks on their way."""
