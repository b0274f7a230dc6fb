#!lua flags=allow-oom
-- Begin to remove the line: nothing leads to its versions and orders any more, and no learner
-- takes it until the caller ends the lease. Sent again, it keeps the lease.
-- args: holder, lease_ms
-- Returns '', or who holds the line.

local holder = get('lease')
if holder ~= '' and holder ~= args.holder then return holder end
redis.call('SET', key('lease'), args.holder, 'PX', args.lease_ms)
for _, name in ipairs({'head', 'control', 'versions', 'audit', 'highest', 'token', 'refs'}) do
  redis.call('UNLINK', key(name))
end
redis.call('PUBLISH', key('moved'), '')
return ''
