local target = os.getenv("SYNC_TARGET")
sync { default.rsyncssh, source = "/data", host = target, targetdir = "/data" }
