#!lua flags=allow-oom
-- Give the line a new token, which fences every older one.
-- args: nonce = what the fence says of the operator
-- Returns the token.

local token = get('token')
if string.match(token, '^%d+:(.*)$') ~= args.nonce then -- else: the same call, sent twice
  token = next_token(args.nonce)
  redis.call('SET', key('token'), token)
end
return token
