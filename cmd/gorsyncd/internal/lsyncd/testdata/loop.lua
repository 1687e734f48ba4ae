-- The usual way to several hosts.
settings {
    logfile = "/var/log/lsyncd/lsyncd.log",
    statusFile = "/var/log/lsyncd/lsyncd-status.log",
    insist = true,
    maxProcesses = 4,
}

local targets = { "web2.example.com", "web3.example.com" }
local dirs = { "/var/www/html", "/srv/upload" }

for _, dir in ipairs(dirs) do
    for _, host in ipairs(targets) do
        sync {
            default.rsyncssh,
            source = dir,
            host = "deploy@" .. host,
            targetdir = dir,
            delay = 5,
            exclude = { ".git/", "*.swp", "/cache/" },
            rsync = {
                archive = true,
                compress = true,
                bwlimit = 2000,
                _extra = { "--omit-link-times" },
            },
            ssh = { port = 2222, identityFile = "/root/.ssh/lsync", options = { StrictHostKeyChecking = "no", ConnectTimeout = 5 } },
        }
    end
end
