settings = {
  logfile    = "/var/log/lsyncd/lsyncd.log",
  insist = true,
  nodaemon   = false --<== for debugging
}

sync {
  default.rsyncssh,
  source="/var/www",
  host="b-example2",
  targetdir="/var/www",
  rsyncOps={"-ausOS", "--temp-dir=/tmp"},
  delay=3
}
sync {
  default.rsync,
  source="/etc/nginx",
  target="b-example2::nginx",
  rsyncOpts="-lts",
}
