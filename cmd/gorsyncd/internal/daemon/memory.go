package daemon

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// releaseFrom is how much memory has to be unused before it is given back.
	releaseFrom = 32 << 20
	// quietRound is how much may have been allocated in a round of upkeep that
	// had nothing else to do.
	quietRound = 8 << 20
)

// memory gives back to the system what a scan or a burst has left: the Go
// runtime keeps it for the next one, collects garbage every two minutes at most
// when nothing happens, and returns only a part.
type memory struct {
	allocated uint64 // at the last round
	done      bool   // since the last busy round
}

// round is called from time to time by one goroutine.
func (m *memory) round() {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	if m.due(s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64(), s[3].Value.Uint64()) {
		debug.FreeOSMemory()
	}
}

// due tells whether there is something to give back: after a quiet round, once.
func (m *memory) due(allocated, live, objects, free uint64) bool {
	quiet := allocated-m.allocated < quietRound
	m.allocated = allocated
	if !quiet {
		m.done = false
	}
	if !quiet || m.done {
		return false
	}
	m.done = true
	return free+objects-min(objects, live) >= releaseFrom
}
