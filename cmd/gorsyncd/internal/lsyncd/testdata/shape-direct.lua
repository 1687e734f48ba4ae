sync { default.direct, source = "/srv/in/", target = "/srv/out/" }
