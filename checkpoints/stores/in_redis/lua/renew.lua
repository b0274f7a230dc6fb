#!lua flags=allow-oom
-- Extend the lease of the holder of the newest token; lease_ms 0 ends it.
-- args: holder, token, lease_ms
-- Returns 1, or 0 when the token has been superseded.

if get('token') ~= args.token then return 0 end
if args.lease_ms > 0 then
  redis.call('SET', key('lease'), args.holder, 'PX', args.lease_ms)
elseif get('lease') == args.holder then
  redis.call('DEL', key('lease'))
end
return 1
