settings { statusInterval = 1, maxProcesses = 1, insist = true }

serverList = {
 "server1",
 "server2",
}
sourceList =
{
       "/opt/transcodes",
}

for _, server in ipairs( serverList ) do
  for _, source in ipairs( sourceList ) do
    sync {
      default.rsyncssh,
      source = source,
      targetdir = "/opt/transcodes",
      host = server,
      delete = 'running',
      delay = 0,
      rsync = { archive = true, update = true },
    }
  end
end
