package journal

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A remote's lag is the age of an entry, and an age must not change because
// somebody sets the clock. So entries are dated by a clock of the journal's own:
// it shows what the wall clock showed when the journal was created and goes on
// evenly from there, with CLOCK_BOOTTIME of clock_gettime(2), which nobody can
// set and which counts the time a machine is suspended. A file beside the
// database keeps how far the two clocks are apart, so that it goes on across
// restarts; across a reboot it goes on with the wall clock, which is all that a
// machine has then. For people, times are put back on the wall clock.
//
// Rejected: to note each change of the wall clock with the seq it came at and to
// correct times on reading. What is dated without a seq, such as retry records,
// cannot be corrected so, and what is in memory already would have to be.

// skewNoise is below what a difference of the two clocks means nothing: they are
// read one after the other.
const skewNoise = time.Millisecond

// clockFile is what is kept of the clock.
type clockFile struct {
	Boot string        `json:"boot"`    // of the kernel: random, another one after each start of the machine
	Base time.Duration `json:"base_ns"` // the clock minus CLOCK_BOOTTIME, since 1970
	Skew time.Duration `json:"skew_ns"` // the wall clock minus the clock
	At   time.Time     `json:"at"`      // by the clock, when this was written
	Lost bool          `json:"lost"`    // the wall clock was behind At when the machine started
}

// TimeSource is where the time comes from.
type TimeSource struct {
	Wall func() time.Time
	Up   func() time.Duration // CLOCK_BOOTTIME
	Boot string               // another one after each start of the machine
}

func realTime() TimeSource {
	// Without it (no /proc) each start counts as one of the machine.
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return TimeSource{time.Now, new(upClock).now, strings.TrimSpace(string(boot))}
}

// upClock is CLOCK_BOOTTIME. Reading it is a system call each time, and each entry
// is dated and told of some times over. In between the process's monotonic clock
// goes on at the same rate; that the machine was suspended shows upStep later.
type upClock struct {
	mu   sync.Mutex
	read time.Time     // shortly after it was read; zero for never
	up   time.Duration // what it was
	last time.Duration // what was said last: it never goes back
}

const upStep = 10 * time.Millisecond

func (u *upClock) now() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	d := time.Since(u.read)
	if u.read.IsZero() || d < 0 || d >= upStep {
		u.up, d = bootTime(), 0
		u.read = time.Now()
	}
	u.last = max(u.last, u.up+d)
	return u.last
}

func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err) // Linux has it since 2.6.39
	}
	return time.Duration(ts.Nano())
}

// clock dates entries. Safe for concurrent use.
type clock struct {
	src  TimeSource
	name string // of the file; "" keeps none
	log  *slog.Logger

	file sync.Mutex // held while the file is written

	mu    sync.Mutex // guards all below; never held while anything waits
	saved clockFile
	base  time.Duration
	lost  bool // the wall clock has yet to reach the time that was kept
}

func clockPath(dir string) string { return filepath.Clean(dir) + ".clock" }

// openClock goes on with the clock of a journal's directory.
func openClock(dir string, src TimeSource, log *slog.Logger) *clock {
	c := &clock{src: src, name: clockPath(dir), log: log}
	var f clockFile
	b, err := os.ReadFile(c.name)
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.base = c.since1970() - src.Up()
		return c
	case err != nil:
		log.Warn("the journal's clock begins anew: ages are wrong if the clock was set lately", "path", c.name, "error", err)
		c.base = c.since1970() - src.Up()
		return c
	}
	c.saved = f
	// A container may see the same boot and another CLOCK_BOOTTIME: see
	// time_namespaces(7). One that has gone back is not that of the file.
	kept := time.Duration(f.At.UnixNano())
	if f.Boot == src.Boot && f.Boot != "" && f.Base+src.Up() >= kept {
		c.base, c.lost = f.Base, f.Lost
		return c
	}
	// Many machines start with a wrong time and learn the right one later.
	now := c.since1970() - f.Skew
	if now < kept {
		now, c.lost = kept, true
	}
	c.base = now - src.Up()
	return c
}

func (c *clock) since1970() time.Duration { return time.Duration(c.src.Wall().UnixNano()) }

// now is the time by the clock.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Unix(0, int64(c.read())).UTC()
}

// read needs mu.
func (c *clock) read() time.Duration {
	now := c.base + c.src.Up()
	if !c.lost {
		return now
	}
	if right := c.since1970() - c.saved.Skew; right > now {
		c.base += right - now
		c.lost = false
		return right
	}
	return now
}

// skew is how far the wall clock is ahead; 0 when nobody has set it.
func (c *clock) skew() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.skewNow()
}

// skewNow needs mu. This goroutine may have to wait between two clocks, so the wall
// clock is read before and after, and the closest of some readings counts.
func (c *clock) skewNow() time.Duration {
	var skew, apart time.Duration
	for i := range 4 {
		before := c.since1970()
		now := c.read()
		took := (c.since1970() - before).Abs()
		if i == 0 || took < apart {
			skew, apart = before+took/2-now, took
		}
		if apart < skewNoise {
			break
		}
	}
	if skew.Abs() < skewNoise+apart/2 {
		return 0
	}
	return skew
}

// onWall is the same moment by the wall clock as it goes now; fromWall the reverse.
func (c *clock) onWall(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(c.skew())
}

func (c *clock) fromWall(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-c.skew())
}

// keepEvery is how often the file is written when nothing has happened: a machine
// that starts with a time from before that is known to be wrong.
const keepEvery = time.Hour

// keep writes the file when there is something new. What cannot be written is
// tried again; it matters after the next start of the machine only.
func (c *clock) keep(closing bool) {
	if c.name == "" {
		return
	}
	c.file.Lock()
	defer c.file.Unlock()
	f, fresh := c.present()
	if !fresh && !closing {
		return
	}
	b, err := json.Marshal(f)
	if err == nil {
		err = writeDurable(c.name+".tmp", append(b, '\n'))
	}
	if err == nil {
		err = os.Rename(c.name+".tmp", c.name)
	}
	if err != nil {
		c.log.Debug("the journal's clock is not kept", "path", c.name, "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved = f
}

// present is what is to be kept now, and tells whether that is anything new.
func (c *clock) present() (f clockFile, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, skew := c.read(), c.skewNow() // which may find that it is right again
	f = clockFile{Boot: c.src.Boot, Base: c.base, Skew: skew, Lost: c.lost, At: time.Unix(0, int64(now)).UTC()}
	if c.lost {
		f.Skew = c.saved.Skew
	}
	old := c.saved
	same := f.Boot == old.Boot && f.Lost == old.Lost && (f.Base-old.Base).Abs() < skewNoise && (f.Skew-old.Skew).Abs() < skewNoise
	return f, !same || f.At.Sub(old.At) >= keepEvery
}

// Now is the time by the journal's clock, by which entries are dated: the wall
// clock's for as long as nobody sets that. Ages are differences to it.
func (j *Journal) Now() time.Time { return j.clock.now() }

// OnWall puts a time of an entry on the wall clock as it goes now, for people.
// FromWall is the reverse.
func (j *Journal) OnWall(t time.Time) time.Time { return j.clock.onWall(t) }

// FromWall is the time by the journal's clock at a moment by the wall clock.
func (j *Journal) FromWall(t time.Time) time.Time { return j.clock.fromWall(t) }
