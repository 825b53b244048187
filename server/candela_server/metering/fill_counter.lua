-- Gives a counter its value, as of one snapshot of the database, and adds what was committed since.
--
-- KEYS: the customer's hash. ARGV: epoch, the counter's id, the token of the announcement, whole part, fraction,
-- and the snapshot's vector ",writer=sequence,writer=sequence". Answers 1 when the counter was filled, else 0.
--
-- Whatever it answers, no counter is older than the snapshot afterwards: somebody is told the snapshot's value, and
-- nobody may be told less later. So a counter that another reader filled meanwhile is replaced if this snapshot has
-- all of its flushes, left alone if it has all of this snapshot's, and dropped otherwise. What others have announced
-- is dropped as well: their snapshots may be older.
local key, id, vector = KEYS[1], ARGV[2], ARGV[6]
local filled = redis.call('HGET', key, 'v' .. id)
local pending = redis.call('HGET', key, 'p' .. id)
local current = redis.call('HGET', key, 'e') == ARGV[1]

local function covers(one, other)
    for writer, sequence in string.gmatch(other, ',(%d+)=(%d+)') do
        if tonumber(string.match(one, ',' .. writer .. '=(%d+)') or '0') < tonumber(sequence) then
            return false
        end
    end
    return true
end

if filled then
    if current and covers(vector, filled) then
        redis.call('HDEL', key, 'p' .. id)
        redis.call('HSET', key, 'i' .. id, ARGV[4], 'f' .. id, ARGV[5], 'v' .. id, '.' .. vector)
        return 1
    end
    if covers(filled, vector) then
        redis.call('HDEL', key, 'p' .. id)
    else
        redis.call('HDEL', key, 'i' .. id, 'f' .. id, 'v' .. id, 'p' .. id)
    end
    return 0
end
redis.call('HDEL', key, 'p' .. id)
if not current or not pending or string.match(pending, '^([^;]+);') ~= ARGV[3] then
    return 0
end
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
