----
-- As many guides have it.
settings {
        logfile = "/var/log/lsyncd/lsyncd.log",
        statusFile = "/var/log/lsyncd/lsyncd.status",
        inotifyMode = "CloseWrite or Modify",
        nodaemon = false,
        insist = true,
}
sync {
    default.rsyncssh,
    source = "/srv/app/", -- 源目录
    host = "192.168.2.16", --目的主机
    targetdir = "/srv/app",
    delete = true,
    delay = 0,
    exclude={
        ".txt", -- 排除
        "downloads/**",
        "*.tfstate",
        "/tmp",
    },
    rsync = {
        binary = "/usr/bin/rsync",
        archive = true,
        compress = true,
        verbose = true,
        owner = true,
        perms = true,
        inplace = true,
        checksum = true,
        xattrs = true,
        _extra = {"--bwlimit=2000", "-a", "--omit-dir-times"},
    },
    ssh = { port = 1234, identityFile = "/root/.ssh/id_rsa" },
    maxDelays = 5,
}
