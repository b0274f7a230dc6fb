#!lua flags=allow-oom
-- Which commands the caller may not run, in the server's own words. Nothing is run: what is
-- refused is refused again, and what is not is not tried.
-- args: commands = {{name, arguments…}, …}
-- Returns {index from 0, the refusal, index, the refusal, …}.

local found = {}
for i, command in ipairs(args.commands) do
  if not redis.acl_check_cmd(unpack(command)) then
    local refusal = redis.pcall(unpack(command))
    found[#found + 1] = i - 1
    found[#found + 1] = refusal.err or ''
  end
end
return found
