"""Values that every room may use.

Money, time, ids, errors, the caller. No I/O, no business noun.
"""
