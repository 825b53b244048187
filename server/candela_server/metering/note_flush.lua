-- Notes that a writer's flush reached the counters. KEYS: the hash of all writers. ARGV: writer, sequence.
-- Answers 0 when the flush before it never did: then something was lost here, and no counter can be trusted.
local noted = redis.pcall('HGET', KEYS[1], ARGV[1])
if type(noted) == 'table' then
    -- Not a hash: somebody else's, in our place, and nothing is noted any more.
    redis.call('DEL', KEYS[1])
    noted = false
end
local before = tonumber(noted or '0')
local sequence = tonumber(ARGV[2])
if sequence > before then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return before >= sequence - 1 and 1 or 0
