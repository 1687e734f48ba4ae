sync {
    default.rsync,
    source = "/data/",
    target = "www@192.168.1.20::data/sub/",
    rsync = { archive = true, password_file = "/etc/rsync.pass", rsh = "ssh -p 2022 -l deploy" }
}
sync {
    default.rsync,
    source = "/srv/",
    target = "rsync://www@192.168.1.20:8730/srv",
    rsync = { archive = true, rsh = "ssh" }
}
