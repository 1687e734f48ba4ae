sync {
    default.rsync,
    source = "/data/",
    target = "www@192.168.1.20:/data",
    rsync = {
        archive = true,
        rsh = "/usr/bin/ssh -p 2022 -i /root/.ssh/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    }
}
