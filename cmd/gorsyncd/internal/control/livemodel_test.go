package control

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
)

// assembled is what a client makes of the events that it was given, as the page does:
// see merge in live.js.
type assembled map[string]any

func (a *assembled) take(t *testing.T, text []byte) {
	t.Helper()
	name, data, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	var doc assembled
	if err := json.Unmarshal([]byte(strings.TrimPrefix(data, "data: ")), &doc); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	switch name {
	case "event: status":
		*a = doc
	case "event: delta":
		a.merge(doc)
	}
}

func (a *assembled) merge(d assembled) {
	out := assembled{}
	for key, v := range *a {
		out[key] = v
	}
	removed := d["removed"].([]any)
	delete(d, "removed")
	for key, v := range d {
		if list, ok := v.([]any); ok {
			v = replaced((*a)[key].([]any), list, removed)
		}
		out[key] = v
	}
	*a = out
}

func replaced(list, changed, removed []any) []any {
	called := func(x any) any { return x.(map[string]any)["name"] }
	out := []any{}
	for _, x := range list {
		if i := slices.IndexFunc(changed, func(y any) bool { return called(y) == called(x) }); i >= 0 {
			out = append(out, changed[i])
		} else if !slices.Contains(removed, called(x)) {
			out = append(out, x)
		}
	}
	return out
}

// same compares it with a status, but for what never stands still.
func (a assembled) same(t *testing.T, s status.Status) bool {
	t.Helper()
	var want assembled
	if err := json.Unmarshal(mustJSON(s), &want); err != nil {
		t.Fatal(err)
	}
	for _, doc := range []assembled{want, a} {
		delete(doc, "time")
		delete(doc["daemon"].(map[string]any), "uptime_seconds")
		delete(doc["daemon"].(map[string]any), "goroutines")
	}
	return reflect.DeepEqual(a, want)
}

// randomStatus makes one of a few names, which different lists share.
func randomStatus(r *rand.Rand) func(*status.Status) {
	return func(s *status.Status) {
		some := func(add func(name string)) {
			for _, name := range []string{"a", "a/b", "c", "c/d"} {
				if r.IntN(3) > 0 {
					add(name)
				}
			}
		}
		some(func(n string) { s.Sources = append(s.Sources, status.Source{Name: n}) })
		some(func(n string) { s.Remotes = append(s.Remotes, rem(n, r.Uint64N(2))) })
		some(func(n string) { s.Sinks = append(s.Sinks, sink.Status{Name: n}) })
		some(func(n string) {
			s.Notifiers = append(s.Notifiers, notify.Status{Name: n, Failures: r.Uint64N(2)})
		})
		some(func(n string) { s.Kept = append(s.Kept, status.Kept{Name: n}) })
		if r.IntN(8) == 0 {
			slices.Reverse(s.Remotes)
		}
		if r.IntN(2) == 0 {
			s.Note = "it is so"
		}
		s.Journal.Entries = r.Uint64N(2)
	}
}

// TestLiveAssembles: whatever changes, comes and goes, and however often a client comes
// again, what it has put together is the status.
func TestLiveAssembles(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		api := &changing{}
		api.set(func(*status.Status) {})
		l := newLive(api, time.Second)
		defer l.close()
		type client struct {
			*listener
			has assembled
		}
		clients := make([]client, 3)
		for round := range 200 {
			for i := range clients {
				if c := &clients[i]; c.listener == nil || r.IntN(10) == 0 {
					if c.listener != nil {
						l.leave(c.listener)
					}
					*c = client{listener: l.join()}
				}
			}
			if r.IntN(4) > 0 {
				api.set(randomStatus(r))
			}
			time.Sleep(time.Second)
			synctest.Wait()
			for i := range clients {
				c := &clients[i]
				for len(c.texts) > 0 {
					c.has.take(t, <-c.texts)
				}
				if !c.has.same(t, api.now) {
					t.Fatalf("round %d: client %d has\n%s\nit is\n%s", round, i, mustJSON(c.has), mustJSON(api.now))
				}
			}
		}
	})
}
