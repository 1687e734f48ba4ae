package main

import (
	"time"

	"gorsyncd/bench/testbed"
)

// racer is one way to keep copies equal to a source.
type racer struct {
	name    string
	program string // that has to be installed; "" for what every run needs

	// nodelay sets TCP_NODELAY at both ends of the connection.
	nodelay bool

	variant bool // another form of a racer that is there anyway

	indexed bool // ours with a source that it knows already, and a new remote

	config string // of ours: a line below `defaults`

	// start starts what watches, and returns when it watches and, where it does
	// that by itself, has made the copies equal. Nil for bare rsync.
	start func(r *rig, w *world, rc *racer) (*runner, error)
}

// runner is a started racer.
type runner struct {
	pids []int // with whatever is below them
	stop func()
	g    *testbed.Gorsyncd // nil for peers
}

// Every racer there is. Scenarios choose.
var (
	ours      = &racer{name: "gorsyncd", nodelay: true, start: startGorsyncd}
	oursPlain = &racer{name: "gorsyncd, daemon as tutorials set it up", variant: true, start: startGorsyncd}
	lsyncd    = &racer{name: "lsyncd, delay 1", program: "lsyncd", start: startLsyncd(1)}
	lsyncd0   = &racer{name: "lsyncd, delay 0", variant: true, program: "lsyncd", start: startLsyncd(0)}
	lsyncdND  = &racer{name: "lsyncd, delay 0, TCP_NODELAY", variant: true, program: "lsyncd", nodelay: true, start: startLsyncd(0)}
	loop      = &racer{name: "inotifywait loop", program: "inotifywait", start: startLoop}
	loopND    = &racer{name: "inotifywait loop, TCP_NODELAY", variant: true, program: "inotifywait", nodelay: true, start: startLoop}
	bare      = &racer{name: "bare rsync", variant: true}
	bareND    = &racer{name: "bare rsync, TCP_NODELAY", nodelay: true}
)

// gorsyncd tells whether the racer is ours.
func (rc *racer) gorsyncd() bool { return rc == ours || rc == oursPlain || rc.indexed }

// readyLimit is how long a racer may take to start on a tree of this many files.
func readyLimit(files int) time.Duration {
	return time.Minute + time.Duration(files)*time.Millisecond
}
