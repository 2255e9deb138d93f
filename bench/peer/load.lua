-- Sends the requests of a plan, which is a Lua file that returns a table. Used by load.ts.
local plan, sent, cycle = nil, 0, {}

function init(args)
  plan = dofile(args[1])
  for at, template in ipairs(plan.templates) do
    for _ = 1, template.weight do cycle[#cycle + 1] = at end
  end
end

function request()
  sent = sent + 1
  -- The stride shares no factor with the number of ids: each comes once before any comes twice.
  local template = plan.templates[cycle[math.random(#cycle)]]
  local id = plan.ids[sent * 7919 % #plan.ids + 1] or ''
  local headers = { authorization = 'Bearer ' .. plan.key }
  local body = nil
  if template.body ~= '' then
    headers['content-type'] = 'application/json'
    body = template.body:gsub('{n}', plan.prefix .. sent)
  end
  return wrk.format(template.method, (template.path:gsub('{id}', id)), headers, body)
end

function done(summary)
  local errors = summary.errors
  io.write(string.format('RESULT %d %d %d %d\n', summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
