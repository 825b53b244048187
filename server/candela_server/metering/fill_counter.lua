-- Gives an announced counter its value, as of one snapshot of the database, and adds what was committed since.
--
-- KEYS: the customer's hash. ARGV: epoch, the counter's id, the token of the announcement, whole part, fraction,
-- and the snapshot's vector ",writer=sequence,writer=sequence". Answers 1 when the counter was filled, 0 when
-- something changed meanwhile: then the next reader tries again.
local key, id = KEYS[1], ARGV[2]
if redis.call('HGET', key, 'e') ~= ARGV[1] then
    return 0
end
local pending = redis.call('HGET', key, 'p' .. id)
if not pending or string.match(pending, '^([^;]+);') ~= ARGV[3] then
    return 0
end
redis.call('HDEL', key, 'p' .. id)
local vector = ARGV[6]
redis.call('HSET', key, 'i' .. id, ARGV[4], 'f' .. id, ARGV[5])
local since = {}
for writer, sequence, whole, fraction in string.gmatch(pending, '(%d+)=(%d+):(-?%d+):(%d+);') do
    local seen = tonumber(string.match(vector, ',' .. writer .. '=(%d+)') or '0')
    if tonumber(sequence) > seen then
        local sum = redis.pcall('HINCRBY', key, 'i' .. id, whole)
        local part = redis.pcall('HINCRBY', key, 'f' .. id, fraction)
        if type(sum) == 'table' or type(part) == 'table' then
            redis.call('HDEL', key, 'i' .. id, 'f' .. id)
            return 0
        end
        if part >= 1000000000000 then
            redis.call('HINCRBY', key, 'f' .. id, '-1000000000000')
            redis.pcall('HINCRBY', key, 'i' .. id, '1')
        end
        if tonumber(sequence) > (since[writer] or 0) then
            since[writer] = tonumber(sequence)
        end
    end
end
for writer, sequence in pairs(since) do
    local text = string.format('%.0f', sequence)
    local replaced, times = string.gsub(vector, ',' .. writer .. '=%d+', ',' .. writer .. '=' .. text, 1)
    vector = times > 0 and replaced or (vector .. ',' .. writer .. '=' .. text)
end
-- "." marks a counter whose snapshot saw no writer: an empty field would read as a missing one.
redis.call('HSET', key, 'v' .. id, '.' .. vector)
return 1
