-- What runs commands of the user's own is refused with its line.
bash = {
  delay = 5,
  maxProcesses = 3,
  onCreate = [[ cp -r ^sourcePathname ^targetPathname ]],
  onModify = "cp -r ^source^pathname ^target^pathname",
  onDelete = function(event)
    spawnShell(event, "rm -rf ^targetPathname")
  end,
}
sync { bash, source = "/srv/in", target = "/srv/out" }
sync {
  default.rsync,
  source = "/srv/www",
  target = "h::www",
  rsync = { archive = true },
  onStartup = [[ /usr/bin/true ]],
  collect = function(agent, exitcode)
    return "again"
  end,
}
