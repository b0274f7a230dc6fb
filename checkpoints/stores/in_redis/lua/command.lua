#!lua flags=allow-oom
-- Write a control record, and with it a version where the command makes one.
-- args: control = {id, seq, previous ('' for none)}, named = ids of versions that must be kept,
--       idempotency ('' or a hash), repeats_s, control_bytes_max, audit_kept,
--       version (as in commit, absent for none), is_fencing, nonce = what the fence says of the
--       operator
-- ARGV[2]: the control envelope; ARGV[3]: the version's
-- Returns {OK | DUP | STALE | TORN} or {'REPEATED', the control envelope of the first time}.

local control, version = args.control, args.version
if exists('control:' .. control.id) then return {'DUP'} end
local earlier = ''
if args.idempotency ~= '' then
  earlier = redis.call('GETRANGE', key('repeat:' .. args.idempotency), 0, args.control_bytes_max)
end
if earlier ~= '' then return {'REPEATED', earlier} end
if id_of('control') ~= control.previous then return {'STALE'} end
if control.seq ~= count_of('control') + 1 then return {'STALE'} end
-- The pointer may have been put back or taken away: the audit knows what was ordered since.
local newest = redis.call('ZRANGE', key('audit'), -1, -1, 'WITHSCORES')
if newest[2] and tonumber(newest[2]) >= control.seq then return {'STALE'} end
if version and id_of('head') ~= version.parent then return {'STALE'} end
if version and tonumber(version.number) <= highest() then return {'STALE'} end
if version and is_torn(version.segments) then return {'TORN'} end
for _, id in ipairs(args.named) do
  if not exists('manifest:' .. id) then return {'TORN'} end
end

redis.call('SET', key('control:' .. control.id), ARGV[2])
redis.call('ZADD', key('audit'), control.seq, control.id)
redis.call('SET', key('control'), string.format('%d:%s', control.seq, control.id))
if args.idempotency ~= '' then
  redis.call('SET', key('repeat:' .. args.idempotency), ARGV[2], 'EX', args.repeats_s)
end
local surplus = redis.call('ZCARD', key('audit')) - args.audit_kept
if surplus > 0 then
  for _, id in ipairs(redis.call('ZRANGE', key('audit'), 0, surplus - 1)) do
    redis.call('UNLINK', key('control:' .. id))
  end
  redis.call('ZREMRANGEBYRANK', key('audit'), 0, surplus - 1)
end
if args.is_fencing then redis.call('SET', key('token'), next_token(args.nonce)) end
if version then
  adopt(version, ARGV[3])
else
  redis.call('PUBLISH', key('moved'), control.id)
end
return {'OK'}
