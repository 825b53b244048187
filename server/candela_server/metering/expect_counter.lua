-- Announces that a counter will be filled, so that flushes committed from now on are kept for it.
--
-- KEYS: the customer's hash. ARGV: epoch, scope "metric|user", window start and end in microseconds, mode ("a" adds,
-- "d" is dropped by any change), the counter's id, a fresh token, the instant before which windows are forgotten,
-- the hash's life in seconds, and where the window begins if not where its events do, else "". Answers the token that
-- the filling must show.
local key, epoch, scope, id = KEYS[1], ARGV[1], ARGV[2], ARGV[6]
local kind = redis.call('TYPE', key)['ok']
if kind ~= 'hash' and kind ~= 'none' then
    -- Somebody else's, in our place: the counters are made anew.
    redis.call('DEL', key)
end
if redis.call('HGET', key, 'e') ~= epoch then
    redis.call('DEL', key)
    redis.call('HSET', key, 'e', epoch)
end
redis.call('EXPIRE', key, ARGV[9])
local windows = redis.call('HGET', key, 'r:' .. scope) or ''
local kept, known, count = {}, false, 0
for start_text, end_text, mode, other in string.gmatch(windows, '(-?%d+),(-?%d+),(%a),([^;]+);') do
    count = count + 1
    if other == id then
        known = true
    end
    -- Windows that ended long ago, and the oldest of too many, make room; they are filled again when asked for.
    if other ~= id and (tonumber(end_text) < tonumber(ARGV[8]) or count > 64) then
        redis.call('HDEL', key, 'i' .. other, 'f' .. other, 'v' .. other, 'p' .. other, 'w' .. other)
    else
        kept[#kept + 1] = start_text .. ',' .. end_text .. ',' .. mode .. ',' .. other .. ';'
    end
end
local text = table.concat(kept)
if not known then
    text = ARGV[3] .. ',' .. ARGV[4] .. ',' .. ARGV[5] .. ',' .. id .. ';' .. text
end
redis.call('HSET', key, 'r:' .. scope, text)
if ARGV[10] and ARGV[10] ~= '' then
    redis.call('HSET', key, 'w' .. id, ARGV[10])
end
local pending = redis.call('HGET', key, 'p' .. id)
if pending then
    return string.match(pending, '^([^;]+);')
end
redis.call('HSET', key, 'p' .. id, ARGV[7] .. ';')
return ARGV[7]
