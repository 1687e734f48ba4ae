local base = {
  default.rsyncssh,
  host = "deploy@web2.example.com",
  delete = false,
  rsync = { archive = true, bwlimit = 500 },
  ssh = { port = 2222 },
}
mirror = { base, exclude = { "*.log" }, rsync = { compress = true } }
sync { mirror, source = "/srv/a", targetdir = "/srv/a" }
sync { mirror, source = "/srv/b", targetdir = "/srv/b", delete = true, exclude = { "*.tmp" } }
