local purge = {
  action = function(inlet)
    spawn(inlet.getEvent(), "/usr/bin/purge")
  end,
}
sync{ purge, source = "/a", delay = 1 }
sync{
  default.rsync,
  source = "/b", target = "h::b",
  prepare = function(config)
    return config
  end,
  onCreate = function(event)
    spawn(event, "/usr/bin/logger")
  end,
  filterFrom = "/none",
  delete = "startup",
  rsyncExitCodes = { [0] = "ok" },
  tunnel = {},
  subdirs = false,
  crontab = "0 2 * * *",
}
sync{ default.rsyncssh, source = "/c", host = "h", targetdir = "relative" }
sync{ default.rsync, source = "rel", target = "h::m" }
sync{ default.rsync, source = "/d" }
sync{ default.rsync, source = "/e", target = "h:e" }
