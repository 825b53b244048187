"""Usage files into a running server: read row by row, streamed, resumed, never counted twice (EVT-1)."""
