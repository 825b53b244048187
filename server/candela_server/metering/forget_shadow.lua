-- Forgets a counter that was only made to be compared with another one (counter_walk.py).
--
-- KEYS: the customer's hash. ARGV: scope "metric|user", the counter's id.
local key, scope, id = KEYS[1], ARGV[1], ARGV[2]
if redis.call('TYPE', key)['ok'] ~= 'hash' then
    return 0
end
local windows = redis.call('HGET', key, 'r:' .. scope)
if windows then
    local kept = {}
    for start_text, end_text, mode, other in string.gmatch(windows, '(-?%d+),(-?%d+),(%a),([^;]+);') do
        if other ~= id then
            kept[#kept + 1] = start_text .. ',' .. end_text .. ',' .. mode .. ',' .. other .. ';'
        end
    end
    if #kept > 0 then
        redis.call('HSET', key, 'r:' .. scope, table.concat(kept))
    else
        redis.call('HDEL', key, 'r:' .. scope)
    end
end
return redis.call('HDEL', key, 'i' .. id, 'f' .. id, 'v' .. id, 'p' .. id, 'w' .. id)
