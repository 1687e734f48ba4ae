sync {
    default.rsyncssh,
    source    = "/data/",
    host      = "user1@192.168.1.20",
    targetdir = "/home/user1/data/",
    delay     = 10,
    rsync = {
        archive = true,
        rsh = "/usr/bin/sshpass -p geheim /usr/bin/ssh -o StrictHostKeyChecking=no"
    }
}
