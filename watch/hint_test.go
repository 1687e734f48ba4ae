package watch

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// deed is what a process did with a name: it gave the name to a file, wrote to
// the file by it, removed the name, or moved the file elsewhere.
type deed struct {
	file, pid int
	mask      uint64
}

// merge queues deeds as the kernel does: what one process does with one file
// becomes one event at the place of the first, as long as that was not read. It
// is read up to read events at a time.
func merge(t *rapid.T, deeds []deed, give func(mask uint64)) {
	var queue []deed
	for _, d := range deeds {
		merged := false
		for i := range queue {
			if q := &queue[i]; q.file == d.file && q.pid == d.pid {
				q.mask |= d.mask
				merged = true
			}
		}
		if !merged {
			queue = append(queue, d)
		}
		for range rapid.IntRange(0, 1).Draw(t, "read") * rapid.IntRange(0, len(queue)).Draw(t, "events") {
			give(queue[0].mask)
			queue = queue[1:]
		}
	}
	for _, d := range queue {
		give(d.mask)
	}
}

// TestMergedEventsHideNoWrite: whatever happens to a name, in whatever order it
// is told, a file that got the name, was written to by it and lost it to another
// or was removed is suspected; the write has changed its other names.
func TestMergedEventsHideNoWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const none = -1
		has, hidden := none, false
		made, written := map[int]bool{}, map[int]bool{}
		var deeds []deed
		lose := func(file int) { hidden = hidden || made[file] && written[file] }
		for range rapid.IntRange(1, 8).Draw(t, "deeds") {
			d := deed{file: has, pid: rapid.IntRange(1, 2).Draw(t, "pid")}
			switch what := rapid.IntRange(0, 4).Draw(t, "what"); {
			case has == none || what == 0: // a rename to the name replaces what has it
				d.file, d.mask = rapid.IntRange(0, 2).Draw(t, "file"), rapid.SampledFrom([]uint64{unix.FAN_CREATE, unix.FAN_MOVED_TO}).Draw(t, "how")
				if d.file == has {
					continue
				}
				if has != none {
					lose(has)
				}
				has = d.file
				made[has] = true
				delete(written, has)
			case what == 1 || what == 2:
				d.mask = rapid.SampledFrom([]uint64{unix.FAN_MODIFY, unix.FAN_CLOSE_WRITE}).Draw(t, "write")
				written[has] = true
			case what == 3:
				d.mask = unix.FAN_DELETE
				lose(has)
				has = none
			default:
				d.mask = unix.FAN_MOVED_FROM
				delete(made, has) // its new name tells of it
				has = none
			}
			deeds = append(deeds, d)
		}
		var h hint
		merge(t, deeds, func(mask uint64) { h = h.then(fanHints(mask)) })
		if hidden && has != none && !h.has(hintOver) {
			t.Fatalf("a write is hidden behind another file, and not suspected: %b", h)
		}
		if hidden && (!h.mayHaveBeenLink() || !h.hides()) {
			t.Fatalf("a write is hidden, and not suspected: %b", h)
		}
	})
}

// TestUsualChangesAreNotSuspected: each suspicion costs a scan.
func TestUsualChangesAreNotSuspected(t *testing.T) {
	for name, c := range map[string][]uint64{
		"new file":             {unix.FAN_CREATE | unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE | unix.FAN_ATTRIB},
		"new file, piecemeal":  {unix.FAN_CREATE, unix.FAN_MODIFY, unix.FAN_MODIFY, unix.FAN_CLOSE_WRITE},
		"temporary that moved": {unix.FAN_CREATE | unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE | unix.FAN_MOVED_FROM},
		"replaced":             {unix.FAN_MOVED_TO},
		"replaced often":       {unix.FAN_MOVED_TO, unix.FAN_MOVED_TO, unix.FAN_ATTRIB},
		"rewritten":            {unix.FAN_MODIFY, unix.FAN_CLOSE_WRITE, unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE},
		"moved there and back": {unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO},
		"removed":              {unix.FAN_DELETE},
	} {
		var h hint
		for _, mask := range c {
			h = h.then(fanHints(mask))
		}
		if h.has(hintOver) || h.hides() {
			t.Errorf("%s: %b", name, h)
		}
	}
}

// TestSuspicionEnds: a log that was replaced once is not suspected with each line
// that is written to it later.
func TestSuspicionEnds(t *testing.T) {
	c, now := newCoalescer(time.Millisecond, time.Second), time.Second
	over := 0
	for i, mask := range []uint64{unix.FAN_DELETE, unix.FAN_CREATE | unix.FAN_MODIFY, unix.FAN_CREATE | unix.FAN_CLOSE_WRITE,
		unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE, unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE, unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE} {
		c.add("log", fanHints(mask), now, int64(now))
		if i > 1 {
			now += 100 * time.Millisecond
			list, _ := c.pop(now, 1)
			if len(list) != 1 {
				t.Fatalf("step %d: not looked at", i)
			}
			if list[0].hints.has(hintOver) {
				over++
			}
		}
	}
	if over != 1 {
		t.Errorf("suspected %d times, want once", over)
	}
}

// TestOpenFiles: where closing is told, a file is looked at when it was closed,
// or has been quiet for half a second, or has not come to rest for settleMax.
func TestOpenFiles(t *testing.T) {
	const ms = time.Millisecond
	store, shut := fanHints(unix.FAN_MODIFY), fanHints(unix.FAN_CLOSE_WRITE)
	type step struct {
		at time.Duration
		h  hint
	}
	for name, c := range map[string]struct {
		steps []step
		want  []time.Duration
	}{
		"written and closed":        {[]step{{0, store | shut}}, []time.Duration{1 * ms}},
		"closed later":              {[]step{{0, store}, {300 * ms, shut}}, []time.Duration{301 * ms}},
		"never closed":              {[]step{{0, store}}, []time.Duration{500 * ms}},
		"closed after a look":       {[]step{{0, store}, {700 * ms, shut}}, []time.Duration{500 * ms, 701 * ms}},
		"attributes while open":     {[]step{{0, store}, {100 * ms, fanHints(unix.FAN_ATTRIB)}}, []time.Duration{600 * ms}},
		"moved away while open":     {[]step{{0, store}, {100 * ms, fanHints(unix.FAN_MOVED_FROM)}}, []time.Duration{102 * ms}},
		"attributes":                {[]step{{0, fanHints(unix.FAN_ATTRIB)}}, []time.Duration{2 * ms}},
		"from where none is closed": {[]step{{0, hintWrite}}, []time.Duration{2 * ms}},
	} {
		co := newCoalescer(2*ms, time.Second)
		var got []time.Duration
		for now := time.Duration(0); now < 5*time.Second; now += ms {
			for _, s := range c.steps {
				if s.at == now {
					co.add("f", s.h, now, int64(now))
				}
			}
			if looks, _, _ := popAll(co, now); looks["f"] {
				got = append(got, now)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: looked at %v, want %v", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: looked at %v, want %v", name, got, c.want)
			}
		}
	}
}

// TestBigFileIsSentWhenClosed: one that takes minutes to be written is looked at
// less and less often, and settle after it is closed.
func TestBigFileIsSentWhenClosed(t *testing.T) {
	const ms = time.Millisecond
	store, shut := fanHints(unix.FAN_MODIFY), fanHints(unix.FAN_CLOSE_WRITE)
	c := newCoalescer(2*ms, time.Second)
	var at []time.Duration
	end := 2 * time.Minute
	for now := time.Duration(0); now < end+time.Minute; now += ms {
		switch {
		case now < end && now%(10*ms) == 0:
			c.add("big", store, now, int64(now))
		case now == end:
			c.add("big", shut, now, int64(now))
		}
		if looks, _, _ := popAll(c, now); looks["big"] {
			at = append(at, now)
		}
	}
	if n := len(at); n < 6 || n > 10 || at[n-1] < end || at[n-1] > end+2*ms {
		t.Errorf("looked at %v, closed at %v", at, end)
	}
	// A file that is opened and closed all the time backs off all the same.
	c, at = newCoalescer(2*ms, time.Second), nil
	for now := time.Duration(0); now < time.Minute; now += ms {
		c.add("busy", store|shut, now, int64(now))
		if looks, _, _ := popAll(c, now); looks["busy"] {
			at = append(at, now)
		}
	}
	if len(at) > 8 {
		t.Errorf("looked at %d times in a minute: %v", len(at), at)
	}
}
