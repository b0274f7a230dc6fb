#!lua flags=allow-oom
-- Take the line: a new token, which fences every older one.
-- args: holder, nonce, lease_ms, manifest_bytes_max
-- Returns {'HELD', holder, ms left} or {'GRANTED', token, head id, head envelope, highest}.

local token = get('token')
if string.match(token, '^%d+:(.*)$') ~= args.nonce then -- else: the same call, sent twice
  local holder = get('lease')
  if holder ~= '' and holder ~= args.holder then
    return {'HELD', holder, redis.call('PTTL', key('lease'))}
  end
  token = next_token(args.nonce)
  redis.call('SET', key('token'), token)
end
redis.call('SET', key('lease'), args.holder, 'PX', args.lease_ms)
local head = id_of('head')
local envelope = redis.call('GETRANGE', key('manifest:' .. head), 0, args.manifest_bytes_max)
return {'GRANTED', token, head, envelope, get('highest')}
