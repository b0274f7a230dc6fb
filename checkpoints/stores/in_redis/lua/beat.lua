#!lua flags=allow-oom
-- Note that a process is alive and, of one that serves, which version.
-- args: role, name, serves = {id, '' for none yet}, absent of one that never does, ttl_ms,
--       shown_ms = of what is shown as alive, absent where nobody asks for the newest of the role,
--       expires_at_ms, forgotten_before_ms, beats_max, is_news
-- ARGV[2]: what it says of itself
-- Returns OK.

local member = args.role .. '/' .. args.name
redis.call('SET', key('beat:' .. member), ARGV[2], 'PX', args.ttl_ms)
if args.shown_ms then
  redis.call('SET', key('beat:' .. args.role), ARGV[2], 'PX', args.shown_ms)
end
if args.serves then
  redis.call('SET', key('serving:' .. member), args.serves.id, 'PX', args.ttl_ms)
end
if redis.call('ZADD', key('beats'), args.expires_at_ms, member) == 1 then -- a new one
  redis.call('ZREMRANGEBYSCORE', key('beats'), '-inf', args.forgotten_before_ms)
  redis.call('ZREMRANGEBYRANK', key('beats'), 0, -args.beats_max - 1)
end
if args.is_news then redis.call('PUBLISH', key('moved'), member) end
return 'OK'
