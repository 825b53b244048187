-- Which customers have counters; when none has, there is nothing to add a flush to, and it is noted at once.
--
-- KEYS: the hash of all writers, then one hash per customer. ARGV: writer, sequence; none to ask only.
-- Answers 1 or 0 for each customer, and then, when it noted, as note_flush does.
local answers, present = {}, 0
for k = 2, #KEYS do
    answers[k - 1] = redis.call('EXISTS', KEYS[k])
    present = present + answers[k - 1]
end
if ARGV[1] and present == 0 then
    answers[#KEYS] = note_flush(KEYS[1], ARGV[1], ARGV[2])
end
return answers
