#!lua flags=allow-oom
-- Note that a process is alive, and which version it serves.
-- args: role, name, serving (id, '' for none), ttl_ms, shown_ms (of what is shown as alive),
--       expires_at_ms, forgotten_before_ms, beats_max
-- ARGV[2]: what it says of itself
-- Returns OK.

local member = args.role .. '/' .. args.name
redis.call('SET', key('beat:' .. member), ARGV[2], 'PX', args.ttl_ms)
redis.call('SET', key('beat:' .. args.role), ARGV[2], 'PX', args.shown_ms)
redis.call('SET', key('serving:' .. member), args.serving, 'PX', args.ttl_ms)
redis.call('ZADD', key('beats'), args.expires_at_ms, member)
redis.call('ZREMRANGEBYSCORE', key('beats'), '-inf', args.forgotten_before_ms)
redis.call('ZREMRANGEBYRANK', key('beats'), 0, -args.beats_max - 1)
return 'OK'
