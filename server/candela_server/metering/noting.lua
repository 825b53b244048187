-- Before the scripts that note a flush.

-- Notes in the hash of all writers that a writer's flush reached the counters.
-- Answers 0 when the flush before it never did: then something was lost here, and no counter can be trusted.
local function note_flush(writers, writer, sequence)
    local noted = redis.pcall('HGET', writers, writer)
    if type(noted) == 'table' then
        -- Not a hash: somebody else's, in our place, and nothing is noted any more.
        redis.call('DEL', writers)
        noted = false
    end
    local before = tonumber(noted or '0')
    if tonumber(sequence) > before then
        redis.call('HSET', writers, writer, sequence)
    end
    return before >= tonumber(sequence) - 1 and 1 or 0
end
