settings { logfile = "/var/log/lsyncd.log" }
sync {
  default.rsync,
  source = "/data/www",
  target = "rsync_backup@192.168.1.10::www",
  delay = 15,
  init = false,
  rsync = { archive = true, password_file = "/etc/rsync.password", timeout = 30 },
}
sync {
  default.rsync,
  source = "/data/www",
  target = "rsync://rsync_backup@192.168.1.11:8730/www",
  rsync = { archive = true, password_file = "/etc/rsync2.password" },
}
sync { default.rsync, source = "/data/local", target = "/mnt/copy" }
