-- What the scripts of one line share; the loader puts it in front of each of them, behind its
-- first line.
--
-- KEYS[1]  the prefix of the line's keys, `weir:{model/shard}:`; its hash tag keeps all of a
--          line's keys on one node of a cluster. Below, names without the prefix:
--   token         string  `n:nonce`, the newest fencing token; compared for equality
--   lease         string  who holds the line, expires by itself; a courtesy
--   head          string  `number:id` of the newest version
--   highest       string  the highest version number ever used, also of pruned versions
--   versions      zset    id by number, of the kept versions
--   manifest:ID   string  signed envelope of a version
--   names:ID      string  JSON list of the segments that version names
--   refs          hash    SHA-256 of a segment -> how many kept versions name it
--   chunk:SHA:I   string  the I-th MiB of a segment; expires until a version names it
--   lineage:ID    string  signed envelope: what pruned versions left to this kept one
--   control       string  `seq:id` of the newest control record
--   audit         zset    id by seq, of the kept control records
--   control:ID    string  signed envelope of a control record
--   repeat:KEY    string  control envelope by hashed idempotency key, expires after a day
--   beats         zset    `role/name` by expiry in ms; beat:… and serving:… expire by themselves,
--                         the newest learner's, beat:learner, before those of its processes
--   moved         channel a hint that head, control or the learner's state have moved
-- ARGV[1]  the arguments, JSON; ARGV[2..] signed envelopes.
--
-- A script has no rollback: every check comes before the first write. A full server refuses a
-- commit whole; the other scripts say allow-oom, for they write little, and without them neither
-- could room be made nor an order be given.

local args = cjson.decode(ARGV[1])

local function key(name) return KEYS[1] .. name end

-- '' where there is none; never more than a pointer or a name needs, whoever wrote it.
local function get(name) return redis.call('GETRANGE', key(name), 0, 1023) end

local function id_of(pointer) return string.match(get(pointer), '^%d+:(%x+)$') or '' end

local function count_of(pointer) return tonumber(string.match(get(pointer), '^(%d+):')) or 0 end

local function exists(name) return redis.call('EXISTS', key(name)) == 1 end

local function highest() return tonumber(get('highest')) or 0 end

local function next_token(nonce)
  return string.format('%d:%s', count_of('token') + 1, nonce)
end

local function each_chunk(segment, visit)
  local left, i = segment.bytes, 0
  while left > 0 do
    local length = math.min(left, args.chunk_bytes)
    visit(key('chunk:' .. segment.sha256 .. ':' .. i), length)
    left, i = left - length, i + 1
  end
end

-- True when a byte that the version names is missing.
local function is_torn(segments)
  local torn = false
  for _, segment in ipairs(segments) do
    each_chunk(segment, function(chunk, length)
      torn = torn or redis.call('STRLEN', chunk) ~= length
    end)
  end
  return torn
end

-- Make a version the head. Only after every check.
local function adopt(version, envelope)
  for _, segment in ipairs(version.segments) do
    each_chunk(segment, function(chunk) redis.call('PERSIST', chunk) end)
    redis.call('HINCRBY', key('refs'), segment.sha256, 1)
  end
  redis.call('SET', key('manifest:' .. version.id), envelope)
  redis.call('SET', key('names:' .. version.id), cjson.encode(version.segments))
  redis.call('ZADD', key('versions'), version.number, version.id)
  redis.call('SET', key('highest'), version.number)
  redis.call('SET', key('head'), version.number .. ':' .. version.id)
  redis.call('PUBLISH', key('moved'), version.id)
end
