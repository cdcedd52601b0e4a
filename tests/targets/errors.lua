-- Errors and coroutines of Lua, which its C code does by longjmp: from `error` to `pcall`, out of library functions that
-- complain of their arguments, through C code that calls Lua, out of coroutines and of calls that yield. Called with the
-- number of times; 0 shows what the interpreter does by itself. Tells what it did as a victim program does (victim.h).
local times = tonumber(arg[1])
local failed = 0

local function check(holds, what)
  if not holds then
    failed = failed + 1
    print("FAILED " .. what)
  end
end

local function resident_kb()
  for line in io.lines("/proc/self/status") do
    local kb = line:match("^VmRSS:%s*(%d+)")
    if kb then return tonumber(kb) end
  end
end

-- pcall -> error
local function raise(i)
  local is_fine, message = pcall(error, "no " .. i, 0)
  check(not is_fine and message == "no " .. i, "raise")
end

-- pcall -> string.rep -> luaL_checklstring -> ... -> luaL_argerror -> luaL_error -> lua_error
local function misuse()
  check(not pcall(string.rep), "misuse")
end

-- pcall -> table.sort -> lua_callk -> error
local function sort()
  check(not pcall(table.sort, {3, 2, 1}, function() error("no order") end), "sort")
end

local function fail_late(first)
  error("no " .. coroutine.yield(first + 1))
end

-- resume -> yield; resume -> error
local function resume(i)
  local thread = coroutine.create(fail_late)
  local is_fine, second = coroutine.resume(thread, i)
  check(is_fine and second == i + 1, "yield")
  check(not coroutine.resume(thread, i), "error in a coroutine")
  check(coroutine.status(thread) == "dead", "dead")
end

local function yield_in_pcall()
  return pcall(coroutine.yield, 1)
end

-- resume -> pcall -> yield; resume, and pcall returns to where it never was called from
local function yield_through_pcall()
  local thread = coroutine.wrap(yield_in_pcall)
  check(thread() == 1, "yield through pcall")
  check(thread() == true, "pcall that goes on")
end

local settled_kb
for i = 1, times do
  raise(i)
  misuse()
  sort()
  resume(i)
  yield_through_pcall()
  if i == times // 4 then
    collectgarbage()
    settled_kb = resident_kb()
  end
end
if settled_kb then
  collectgarbage()
  local more_kb = resident_kb() - settled_kb
  check(more_kb <= 1024, "three quarters of the work left " .. more_kb .. " KiB in memory")
end

print("truth lua_error abandoned=" .. times * 4)
print("truth luaL_error abandoned=" .. times)
print("truth luaL_argerror abandoned=" .. times)
print("truth luaL_checklstring success=* abandoned=" .. times)
print("truth lua_callk success=* abandoned=" .. times)
print("truth lua_pcallk error=" .. times * 3 .. " abandoned=" .. times .. " active=2") -- this chunk's
print("truth lua_resume success=" .. times .. " error=" .. times * 3)
print("truth lua_yieldk abandoned=" .. times * 2)
print("truth lua_newthread success=" .. times * 2)
print("done")
io.flush()
io.read("a")
os.exit(failed)
