#!lua flags=allow-oom
-- Forget versions, and the segments that no kept version names.
-- args: token, head (id), control (id, '' for none), drop = ids, kept = ids that get a lineage
-- ARGV[2..]: lineage envelopes, in the order of `kept`
-- Returns OK, FENCED or STALE.

if get('token') ~= args.token then return 'FENCED' end
if id_of('head') ~= args.head or id_of('control') ~= args.control then return 'STALE' end
for _, id in ipairs(args.kept) do
  if not exists('manifest:' .. id) then return 'STALE' end
end
local served = {}
for _, member in ipairs(redis.call('ZRANGE', key('beats'), 0, -1)) do
  served[get('serving:' .. member)] = true
end
for _, id in ipairs(args.drop) do
  if served[id] then return 'STALE' end
end

for i, id in ipairs(args.kept) do
  redis.call('SET', key('lineage:' .. id), ARGV[i + 1])
end
for _, id in ipairs(args.drop) do
  local names = redis.call('GET', key('names:' .. id)) -- none: dropped by this call, sent twice
  for _, segment in ipairs(names and cjson.decode(names) or {}) do
    if redis.call('HINCRBY', key('refs'), segment.sha256, -1) <= 0 then
      redis.call('HDEL', key('refs'), segment.sha256)
      each_chunk(segment, function(chunk) redis.call('UNLINK', chunk) end)
    end
  end
  redis.call('UNLINK', key('manifest:' .. id), key('names:' .. id), key('lineage:' .. id))
  redis.call('ZREM', key('versions'), id)
end
return 'OK'
