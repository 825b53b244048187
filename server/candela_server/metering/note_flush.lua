-- Notes a flush. KEYS: the hash of all writers. ARGV: writer, sequence. Answers as note_flush does.
return note_flush(KEYS[1], ARGV[1], ARGV[2])
