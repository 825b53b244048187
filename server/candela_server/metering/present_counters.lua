-- Which customers have counters. KEYS: their hashes. Answers 1 or 0 for each.
local answers = {}
for k = 1, #KEYS do
    answers[k] = redis.call('EXISTS', KEYS[k])
end
return answers
