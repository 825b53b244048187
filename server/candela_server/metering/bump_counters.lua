-- Adds one flush to the live counters of some customers, exactly once per counter.
--
-- KEYS: one hash per customer. ARGV: the writer's number, the flush's sequence; then per key the number of scopes,
-- and per scope "metric|user", the number of spans, and per span the first and last instant of its events in
-- microseconds, the whole part and the fraction (in 1e-12, never negative) of what they add.
--
-- A counter says in its vector up to which flush of each writer it was filled; an earlier flush is skipped. Numbers
-- are added by HINCRBY alone, because Lua's own are doubles; only instants and fractions, which fit, are compared.
--
-- A span that a window cuts is not divided: of the events of a quarter-hour a flush tells the first and last instant and
-- the sum, and not what of it lies on which side. So the counter is dropped, and the next check reads it anew, exactly.
-- That is rare: most windows begin with a quarter-hour, and of those that do not, only a flush with events on both sides
-- of the very border drops one. To tell each event's instant in every flush would cost more than these readings.
local writer, sequence = ARGV[1], tonumber(ARGV[2])
local at = 3

local function drop(key, id)
    redis.call('HDEL', key, 'i' .. id, 'f' .. id, 'v' .. id, 'p' .. id)
end

local function note(vector, seen)
    if seen > 0 then
        return (string.gsub(vector, ',' .. writer .. '=%d+', ',' .. writer .. '=' .. ARGV[2], 1))
    end
    return vector .. ',' .. writer .. '=' .. ARGV[2]
end

for k = 1, #KEYS do
    local key = KEYS[k]
    local scopes = tonumber(ARGV[at])
    at = at + 1
    for _ = 1, scopes do
        local scope, spans = ARGV[at], tonumber(ARGV[at + 1])
        local first = at + 2
        at = first + spans * 4
        local windows = redis.pcall('HGET', key, 'r:' .. scope)
        if type(windows) == 'table' then
            -- Not a hash: somebody else's, in our place, and no counter.
            redis.call('DEL', key)
        elseif windows then
            for start_text, end_text, mode, id in string.gmatch(windows, '(-?%d+),(-?%d+),(%a),([^;]+);') do
                local start_us, end_us = tonumber(start_text), tonumber(end_text)
                local touched, cut = {}, false
                for span = first, at - 1, 4 do
                    local earliest, latest = tonumber(ARGV[span]), tonumber(ARGV[span + 1])
                    if latest >= start_us and earliest < end_us then
                        touched[#touched + 1] = span
                        cut = cut or earliest < start_us or latest >= end_us
                    end
                end
                if #touched > 0 then
                    local vector = redis.call('HGET', key, 'v' .. id)
                    if vector then
                        local seen = tonumber(string.match(vector, ',' .. writer .. '=(%d+)') or '0')
                        if seen < sequence then
                            if cut or mode == 'd' then
                                drop(key, id)
                            else
                                local failed = false
                                for _, span in ipairs(touched) do
                                    local whole = redis.pcall('HINCRBY', key, 'i' .. id, ARGV[span + 2])
                                    local part = redis.pcall('HINCRBY', key, 'f' .. id, ARGV[span + 3])
                                    if type(whole) == 'table' or type(part) == 'table' then
                                        failed = true
                                    elseif part >= 1000000000000 then
                                        redis.call('HINCRBY', key, 'f' .. id, '-1000000000000')
                                        redis.pcall('HINCRBY', key, 'i' .. id, '1')
                                    end
                                end
                                if failed then
                                    drop(key, id)
                                else
                                    redis.call('HSET', key, 'v' .. id, note(vector, seen))
                                end
                            end
                        end
                    else
                        -- Somebody is reading this counter's beginning from the database: what is committed
                        -- meanwhile is kept, and whoever fills the counter adds what the reading did not contain.
                        local pending = redis.call('HGET', key, 'p' .. id)
                        if pending then
                            if cut or mode == 'd' or string.len(pending) > 4096 then
                                redis.call('HDEL', key, 'p' .. id)
                            elseif not string.find(pending, ';' .. writer .. '=' .. ARGV[2] .. ':', 1, true) then
                                for _, span in ipairs(touched) do
                                    pending = pending .. writer .. '=' .. ARGV[2] .. ':' .. ARGV[span + 2]
                                        .. ':' .. ARGV[span + 3] .. ';'
                                end
                                redis.call('HSET', key, 'p' .. id, pending)
                            end
                        end
                    end
                end
            end
        end
    end
end
return 1
