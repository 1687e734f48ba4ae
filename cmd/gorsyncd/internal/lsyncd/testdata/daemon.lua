settings = {
  nodaemon = true
}
sync{
  default.rsync,
  name = "WWW Root",
  source = "/data0/www/",
  target = "backup@192.168.222.140::www/",
  delete = 'running',
  init = false,
  excludeFrom = "/etc/lsyncd.exclude",
  maxProcesses = 2,
  crontab = { "0 30 2 * * *", "0 0 3 * * *" },
  rsync = { binary = "/usr/local/bin/rsync", password_file = "/etc/rsync.pas", perms = true, owner = true, group = true, timeout = 100, update = true, acls = true, xattrs = true, verbose = true, whole_file = false, chmod = "F644,D755" },
}
sync{ default.direct, source = "/data0/www", target = "/mnt/nas/www", filter = { "+ /keep/", "- /*" }, delete = false }
