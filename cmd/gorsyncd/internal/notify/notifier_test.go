package notify

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receiver takes messages, or does not.
type receiver struct {
	mu   sync.Mutex
	got  []Message
	fail *Failure // guarded by mu
	hang bool     // guarded by mu
}

func (r *receiver) String() string { return "test" }

func (r *receiver) Send(ctx context.Context, m *Message) (Answer, *Failure) {
	r.mu.Lock()
	hang, fail := r.hang, r.fail
	if !hang && fail == nil {
		r.got = append(r.got, *m)
	}
	r.mu.Unlock()
	if hang {
		<-ctx.Done()
		return Answer{}, &Failure{ID: "E-NOTIFY-TIMEOUT", Message: "no answer in time"}
	}
	return Answer{}, fail
}

func (r *receiver) set(hang bool, fail *Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hang, r.fail = hang, fail
}

// said is what came, one line for each message.
func (r *receiver) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, m := range r.got {
		var parts []string
		for _, it := range append(append([]Item{}, m.Problems...), m.Recovered...) {
			text := fmt.Sprintf("%s %s", it.Event, it.Subject)
			if it.Untold {
				text += " untold"
			}
			parts = append(parts, text)
		}
		out = append(out, string(m.Kind)+": "+strings.Join(parts, ", "))
	}
	return out
}

// life is a notifier at work in a bubble.
type life struct {
	t    *testing.T
	n    *Notifier
	log  *bytes.Buffer
	end  func()
	last time.Time
}

func options(r *receiver, file string) Options {
	return Options{Name: "ops", Kind: "test", Channel: r, Timeout: 30 * time.Second, Host: "web1", StateFile: file,
		Retry: Retry{Initial: 5 * time.Second, Max: 5 * time.Minute, Jitter: 0.5}, Rules: usual()}
}

func live(t *testing.T, o Options) *life {
	l := &life{t: t, log: &bytes.Buffer{}}
	o.Logger = slog.New(slog.NewTextHandler(l.log, nil))
	l.n = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.n.Run(ctx)
	}()
	l.end = func() {
		cancel()
		<-done
	}
	return l
}

// is lets something be so for a while.
func (l *life) is(d time.Duration, sights ...Sight) {
	l.t.Helper()
	for ; d > 0; d -= 2 * time.Second {
		elapsed := time.Duration(0)
		if !l.last.IsZero() {
			elapsed = time.Since(l.last)
		}
		l.last = time.Now()
		l.n.Look(View{Elapsed: elapsed, Time: l.last, Sights: sights})
		if time.Since(l.last) != 0 {
			l.t.Error("Look blocks")
		}
		_ = l.n.Status()
		time.Sleep(2 * time.Second)
		synctest.Wait()
	}
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("received:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestNotifierTellsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		file := filepath.Join(t.TempDir(), "notify", "ops.json")
		l := live(t, options(r, file))
		l.is(10*time.Minute, sightOf("www/nas", Failing))
		same(t, r.said(), "problem: began www/nas")
		// Stopped and started in the middle: neither again, nor forgotten.
		l.end()
		l = live(t, options(r, file))
		l.is(20*time.Second, sightOf("www/nas", "?"))
		l.is(10*time.Minute, sightOf("www/nas", Failing))
		same(t, r.said(), "problem: began www/nas")
		l.is(2*time.Minute, sightOf("www/nas", ""))
		same(t, r.said(), "problem: began www/nas", "recovered: ended www/nas")
		if st := l.n.Status(); st.State != StateOK || st.Delivered != 1 || st.Waiting != 0 || st.LastSuccess == nil {
			t.Errorf("%+v", st)
		}
		l.end()
	})
}

// TestReceiverDownForHours: an outage that begins and ends meanwhile is one message that
// says both, another one that goes on is told as it is by then; attempts become rare,
// and so do lines in the log.
func TestReceiverDownForHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{fail: &Failure{ID: "E-NOTIFY-CONNECT", Message: "connection refused"}}
		l := live(t, options(r, ""))
		l.is(10*time.Minute, sightOf("www/nas", Retrying), sightOf("www/dr", ""))
		l.is(10*time.Minute, sightOf("www/nas", ""), sightOf("www/dr", Retrying))
		l.is(5*time.Hour, sightOf("www/nas", ""), sightOf("www/dr", Failing))
		same(t, r.said())
		st := l.n.Status()
		if st.State != StateFailing || st.ErrorID != "E-NOTIFY-CONNECT" || st.Waiting != 2 || st.NextRetry == nil || st.Failures < 50 || st.Failures > 150 {
			t.Errorf("%+v", st)
		}
		if n := strings.Count(l.log.String(), "could not be delivered"); n < 5 || n > 8 {
			t.Errorf("%d lines in the log for %d failures", n, st.Failures)
		}
		r.set(false, nil)
		l.is(10*time.Minute, sightOf("www/nas", ""), sightOf("www/dr", Failing))
		same(t, r.said(), "problem: began www/dr, ended www/nas untold")
		if dr := r.got[0].Problems[0]; dr.Kind != Failing || dr.Lasted < 5*time.Hour {
			t.Errorf("it tells what was, not what is: %+v", dr)
		}
		if !strings.Contains(r.got[0].Text, "could not be delivered before") || !strings.Contains(l.log.String(), "delivered again") {
			t.Errorf("%s\n%s", r.got[0].Text, l.log.String())
		}
		l.end()
	})
}

// TestReceiverHangs: it holds nobody up, and what was under way at a stop comes later.
func TestReceiverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{hang: true}
		file := filepath.Join(t.TempDir(), "ops.json")
		l := live(t, options(r, file))
		l.is(6*time.Minute, sightOf("www/nas", Failing))
		begun := time.Now()
		l.end()
		if d := time.Since(begun); d > lastWords {
			t.Errorf("the end took %s", d)
		}
		r.set(false, nil)
		l = live(t, options(r, file))
		same(t, r.said())
		l.is(time.Minute, sightOf("www/nas", Failing))
		same(t, r.said(), "problem: began www/nas")
		l.end()
	})
}

// TestRetryAfter: a receiver that asks for time gets it; one that needs a person is
// asked rarely.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{fail: &Failure{ID: "E-NOTIFY-LIMIT", Message: "too fast", After: 10 * time.Minute}}
		l := live(t, options(r, ""))
		l.is(14*time.Minute, sightOf("www/nas", Failing))
		if st := l.n.Status(); st.Attempts != 1 {
			t.Errorf("%d attempts", st.Attempts)
		}
		r.set(false, &Failure{ID: "E-NOTIFY-ANSWER", Message: "no such robot", Person: true})
		l.is(17*time.Minute, sightOf("www/nas", Failing))
		if st := l.n.Status(); st.Attempts < 4 || st.Attempts > 5 {
			t.Errorf("%d attempts", st.Attempts)
		}
		l.end()
	})
}

func TestDamagedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "ops.json")
		for _, text := range []string{"", "{", `{"v":99}`, "\x00\x00", `[]`, `{"v":1,"troubles":[null],"outbox":[{"event":"ended"}]}`} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			r := &receiver{}
			l := live(t, options(r, file))
			if strings.HasPrefix(text, `{"v":1`) {
				l.is(time.Minute, sightOf("www/nas", ""))
			} else if !strings.Contains(l.log.String(), "begins anew") {
				t.Errorf("%q: nothing in the log", text)
			}
			l.is(6*time.Minute, sightOf("www/nas", Failing))
			if said := r.said(); len(said) == 0 || said[len(said)-1] != "problem: began www/nas" {
				t.Errorf("%q: %v", text, said)
			}
			l.end()
		}
	})
}

func TestStateThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocker := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(blocker, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r := &receiver{}
		l := live(t, options(r, filepath.Join(blocker, "ops.json")))
		l.is(6*time.Minute, sightOf("www/nas", Failing))
		same(t, r.said(), "problem: began www/nas")
		if n := strings.Count(l.log.String(), "cannot be written"); n != 1 {
			t.Errorf("%d lines in the log:\n%s", n, l.log.String())
		}
		l.end()
	})
}

func TestHeart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, flatline := range []bool{false, true} {
			r := &receiver{}
			o := options(r, "")
			o.Every, o.Flatline = time.Minute, flatline
			h := NewHeart(o)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = h.Run(ctx)
			}()
			count := func(d time.Duration, b Beat) (beats, flats int) {
				r.mu.Lock()
				r.got = nil
				r.mu.Unlock()
				for ; d > 0; d -= 10 * time.Second {
					h.Look(View{Beat: b})
					time.Sleep(10 * time.Second)
				}
				synctest.Wait()
				r.mu.Lock()
				defer r.mu.Unlock()
				for _, m := range r.got {
					if m.Kind == Heartbeat {
						beats++
					} else {
						flats++
					}
				}
				return beats, flats
			}
			time.Sleep(3 * time.Minute)
			if h.Status().Attempts != 0 || h.Status().Heartbeat.Withheld == "" {
				t.Errorf("before anything is known: %+v", h.Status())
			}
			if b, f := count(5*time.Minute, Beat{Starting: true, Why: "starting"}); b+f != 0 {
				t.Errorf("while starting: %d, %d", b, f)
			}
			if b, f := count(10*time.Minute, Beat{OK: true}); b < 10 || b > 11 || f != 0 {
				t.Errorf("while all is well: %d, %d", b, f)
			}
			time.Sleep(time.Minute)
			b, f := count(10*time.Minute, Beat{Why: "www/nas is failing"})
			if b > 1 || flatline != (f > 5) {
				t.Errorf("while not: %d, %d", b, f)
			}
			if h.Status().Heartbeat.Withheld != "www/nas is failing" {
				t.Errorf("%+v", h.Status())
			}
			count(time.Minute, Beat{OK: true})
			// Nobody looks any more: what was well need not be so.
			time.Sleep(stale + time.Minute)
			before := h.Status().Delivered
			time.Sleep(10 * time.Minute)
			if after := h.Status().Delivered; !flatline && after != before {
				t.Errorf("%d beats that nobody can answer for", after-before)
			}
			cancel()
			<-done
		}
	})
}
