#!lua
-- Make a version the head.
-- args: token, version = {id, number, parent ('' for none), segments = {{sha256, bytes}, …},
--       control_seq = the newest command that its maker had obeyed}
-- ARGV[2]: its envelope
-- Returns OK, DUP, FENCED, STALE or TORN.

local version = args.version
if id_of('head') == version.id then return 'DUP' end
if get('token') ~= args.token then return 'FENCED' end
if id_of('head') ~= version.parent then return 'STALE' end
if tonumber(version.number) <= highest() then return 'STALE' end
-- A command that was obeyed is gone: no version may say so of a store that has lost it.
if (version.control_seq or 0) > count_of('control') then return 'STALE' end
if is_torn(version.segments) then return 'TORN' end

adopt(version, ARGV[2])
return 'OK'
