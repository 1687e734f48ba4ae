package journal

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// setClock has a journal go by a clock that a test turns.
func setClock(j *Journal, now func() time.Time) {
	up := func() time.Duration { return time.Duration(now().UnixNano()) }
	j.now, j.clock = now, &clock{src: TimeSource{Wall: now, Up: up, Boot: "test"}, log: slog.New(slog.DiscardHandler)}
}

// machineTime is a machine: how long it has been up, and what its clock shows.
type machineTime struct {
	up   time.Duration
	wall time.Time
	boot string
}

func (m *machineTime) pass(d time.Duration) {
	m.up += d
	m.wall = m.wall.Add(d)
}

func (m *machineTime) source() TimeSource {
	return TimeSource{Wall: func() time.Time { return m.wall }, Up: func() time.Duration { return m.up }, Boot: m.boot}
}

// TestAgesSurviveTheClock: whatever is done to the wall clock, and however often the
// journal is opened, an age is the time that has passed. After a reboot it is what
// the wall clock says, which is right as long as nobody set it meanwhile.
func TestAgesSurviveTheClock(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range 20 {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(round))
		m := &machineTime{up: time.Hour, wall: time.Unix(1_800_000_000, 0), boot: "0"}
		c := openClock(dir, m.source(), slog.New(slog.DiscardHandler))
		var at []time.Time
		var passed []time.Duration // the time that has really passed since each
		pass := func(d time.Duration) {
			m.pass(d)
			for i := range passed {
				passed[i] += d
			}
		}
		for range 30 {
			switch r.IntN(6) {
			case 0:
				m.wall = m.wall.Add(time.Duration(r.Int64N(int64(48*time.Hour))) - 24*time.Hour)
			case 1: // killed, and started again
				c = openClock(dir, m.source(), slog.New(slog.DiscardHandler))
			case 2: // ended
				c.keep(true)
				c = openClock(dir, m.source(), slog.New(slog.DiscardHandler))
			case 3: // rebooted, after it was ended
				c.keep(true)
				pass(time.Duration(r.Int64N(int64(time.Hour))))
				m.up, m.boot = time.Duration(r.Int64N(int64(time.Minute))), m.boot+"+"
				c = openClock(dir, m.source(), slog.New(slog.DiscardHandler))
			case 4:
				c.keep(false)
			}
			at, passed = append(at, c.now()), append(passed, 0)
			pass(time.Duration(r.Int64N(int64(3 * time.Hour))))
			c.keep(false)
			for i := range at {
				if age := c.now().Sub(at[i]); (age - passed[i]).Abs() > time.Millisecond {
					t.Fatalf("round %d: age %v after %v", round, age, passed[i])
				}
			}
			if shown := c.onWall(c.now()); shown.Sub(m.wall).Abs() > skewNoise {
				t.Fatalf("round %d: now is shown as %v, the wall clock says %v", round, shown, m.wall)
			}
			if back := c.fromWall(c.onWall(at[0])); back.Sub(at[0]).Abs() > skewNoise {
				t.Fatalf("round %d: %v came back as %v", round, at[0], back)
			}
		}
	}
}

// TestStartWithAWrongTime: a machine that starts in 1970 and learns the time later
// keeps what it knew, and ages are right from then on.
func TestStartWithAWrongTime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "j")
	m := &machineTime{up: time.Hour, wall: time.Unix(1_800_000_000, 0), boot: "a"}
	c := openClock(dir, m.source(), slog.New(slog.DiscardHandler))
	at := c.now()
	c.keep(true)
	*m = machineTime{wall: time.Unix(100, 0), boot: "b"}
	c = openClock(dir, m.source(), slog.New(slog.DiscardHandler))
	m.pass(time.Second)
	if age := c.now().Sub(at); age != time.Second {
		t.Errorf("with a wrong time the age is %v", age)
	}
	c.keep(true) // ended meanwhile
	c = openClock(dir, m.source(), slog.New(slog.DiscardHandler))
	m.wall = time.Unix(1_800_000_000, 0).Add(time.Hour)
	if age := c.now().Sub(at); age != time.Hour {
		t.Errorf("with the right time the age is %v", age)
	}
	m.wall = m.wall.Add(5 * time.Hour) // set by somebody, now that it is right
	if age := c.now().Sub(at); age != time.Hour {
		t.Errorf("the age follows the clock: %v", age)
	}
}

// TestUptimeOfAnotherNamespace: a container can be shown an uptime that is behind the
// one before with the same boot; then the clock goes on with the wall clock.
func TestUptimeOfAnotherNamespace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "j")
	m := &machineTime{up: 1000 * time.Hour, wall: time.Unix(1_800_000_000, 0), boot: "a"}
	c := openClock(dir, m.source(), slog.New(slog.DiscardHandler))
	at := c.now()
	c.keep(true)
	m.pass(time.Hour)
	m.up = time.Minute
	c = openClock(dir, m.source(), slog.New(slog.DiscardHandler))
	if age := c.now().Sub(at); age != time.Hour {
		t.Errorf("the age is %v", age)
	}
}

// TestDamagedClockFile: a clock that cannot be read begins anew, and a journal opens.
func TestDamagedClockFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j := reopen(t, Options{Dir: dir})
	s := source(t, j)
	tree(t, s)
	first := entries(t, s)[0]
	if age := j.Now().Sub(first.Time); age < 0 || age > time.Minute {
		t.Errorf("an entry of just now is %v old", age)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var f clockFile
	b, err := os.ReadFile(clockPath(dir))
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil || f.Boot == "" || f.Base == 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	if err := os.WriteFile(clockPath(dir), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, Options{Dir: dir})
	if age := j.Now().Sub(first.Time); age < 0 || age > time.Minute {
		t.Errorf("with a new clock it is %v old", age)
	}
}

// TestUpClock: between two readings the clock goes on, and it is never far from
// the kernel's.
func TestUpClock(t *testing.T) {
	u, last := new(upClock), time.Duration(0)
	for end := time.Now().Add(5 * upStep); time.Now().Before(end); {
		before := bootTime()
		now := u.now()
		after := bootTime()
		if now < last {
			t.Fatalf("went back from %v to %v", last, now)
		}
		// A thread may lose the processor between the two readings of an anchor.
		if now > after || before-now > time.Second {
			t.Fatalf("shows %v between %v and %v", now, before, after)
		}
		last = now
	}
}

// TestSkewIsNoDelay: that somebody had to wait between the readings of two clocks is
// not taken for a clock that was set, and one that was set is found all the same.
func TestSkewIsNoDelay(t *testing.T) {
	for _, set := range []time.Duration{0, 5 * time.Second, -5 * time.Second} {
		for delayed := range 6 { // which of the readings
			m := &machineTime{up: time.Hour, wall: time.Unix(1_800_000_000, 0), boot: "0"}
			c := openClock(filepath.Join(t.TempDir(), "j"), m.source(), slog.New(slog.DiscardHandler))
			m.wall = m.wall.Add(set)
			src, n := m.source(), 0
			late := func() {
				if n++; n == delayed {
					m.pass(13 * time.Millisecond)
				}
			}
			c.src.Wall = func() time.Time { late(); return src.Wall() }
			c.src.Up = func() time.Duration { late(); return src.Up() }
			if got := c.skew(); (got - set).Abs() >= skewNoise {
				t.Errorf("set by %v, reading %d delayed: %v", set, delayed, got)
			}
		}
	}
}
