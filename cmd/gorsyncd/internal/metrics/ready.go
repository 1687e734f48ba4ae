package metrics

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// DefaultMaxLag is how far behind a remote may be that is ready.
const DefaultMaxLag = time.Minute

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready   bool     `json:"ready"`
	MaxLag  float64  `json:"max_lag_seconds"`
	Remotes []string `json:"remotes"` // that were asked about
	Behind  []Behind `json:"behind"`  // of these, and why
}

// Behind is a remote that may not have what the source has.
type Behind struct {
	Name       string          `json:"name"`
	State      replicate.State `json:"state"`
	LagEntries uint64          `json:"lag_entries"`
	LagSeconds float64         `json:"lag_seconds"`
	Reason     string          `json:"reason"`
}

// Readyz says whether remotes have all that is older than max_lag (default 60s): 200,
// or 503 and who is behind. name, which may be given several times, chooses remotes
// as on the command line; without it all are meant. A remote of which that cannot be
// known is behind: one that starts, is in a full sync, fails or is known to differ,
// whose source is held, does not answer or has not been scanned since the start, or any
// while nothing can be journaled.
func (m *Metrics) Readyz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maxLag, patterns, err := readyQuery(r.URL.Query())
		if err != nil {
			refuse(w, err)
			return
		}
		s, err := m.status.get(r.Context())
		if err != nil {
			answer(w, http.StatusServiceUnavailable, control.ErrorDocument{Error: control.Classify(err)})
			return
		}
		ready, err := judge(&s, m.o.Loops(), maxLag, patterns)
		if err != nil {
			refuse(w, err)
			return
		}
		code := http.StatusOK
		if !ready.Ready {
			code = http.StatusServiceUnavailable
		}
		answer(w, code, ready)
	})
}

func refuse(w http.ResponseWriter, err error) {
	answer(w, http.StatusBadRequest, control.ErrorDocument{Error: control.Classify(err)})
}

func readyQuery(q url.Values) (maxLag time.Duration, patterns []string, err error) {
	maxLag = DefaultMaxLag
	for key, values := range q {
		switch key {
		case "name":
			patterns = values
		case "max_lag":
			d, err := config.ParseDuration(values[len(values)-1])
			if err != nil || d <= 0 {
				return 0, nil, usage("max_lag is no time: "+names.Printable(values[len(values)-1]), "write it as 60s or 10m")
			}
			maxLag = d
		default:
			return 0, nil, usage("unknown parameter "+names.Printable(key), "known are max_lag and name")
		}
	}
	return maxLag, patterns, nil
}

func usage(message, hint string) error {
	return &control.Error{Code: control.CodeUsage, Message: message, Hint: hint}
}

// judge looks at the remotes that patterns choose.
func judge(s *status.Status, loops Loops, maxLag time.Duration, patterns []string) (Readiness, error) {
	all := make([]string, 0, len(s.Remotes))
	for i := range s.Remotes {
		all = append(all, s.Remotes[i].Name)
	}
	chosen, err := control.Select(patterns, all)
	if err != nil {
		return Readiness{}, err
	}
	ready := Readiness{Ready: true, MaxLag: maxLag.Seconds(), Remotes: chosen, Behind: []Behind{}}
	heldSources, unseen := map[string]string{}, map[string]bool{}
	for i := range s.Sources {
		if s.Sources[i].State == watch.StateHeld {
			heldSources[s.Sources[i].Name] = s.Sources[i].Held
		}
		unseen[s.Sources[i].Name] = s.Sources[i].Unseen()
	}
	for i := range s.Remotes {
		r := &s.Remotes[i]
		if !slices.Contains(chosen, r.Name) {
			continue
		}
		reason := behindBecause(r, maxLag)
		if reason == "" && unseen[r.Source] {
			reason = "the source is being scanned for the first time since the start"
		}
		if held, is := heldSources[r.Source]; is {
			reason = "the source is held: " + names.Printable(held)
		}
		if why := loops.Unknown(r.Source); why != "" {
			reason = why
		}
		if s.Journal.Waiting != "" {
			reason = "nothing can be journaled: " + names.Printable(s.Journal.Waiting)
		}
		if reason != "" {
			ready.Ready = false
			ready.Behind = append(ready.Behind, Behind{r.Name, r.State, r.LagEntries, r.LagSeconds, reason})
		}
	}
	return ready, nil
}

// Unknown is why what the status says of a source's remotes may be old, "" if it is
// not: loops that wait tell what they last knew.
func (l Loops) Unknown(source string) string {
	for _, w := range l.Waiting {
		other, isSource := strings.CutPrefix(w, SourceLoop(""))
		if !isSource || other == source {
			return names.Printable(w) + " does not answer"
		}
	}
	if l.Hanging > 0 {
		return "the daemon hangs"
	}
	return ""
}

// behindBecause is "" for a remote that is within the limit.
func behindBecause(r *replicate.Status, maxLag time.Duration) string {
	switch lag := time.Duration(r.LagSeconds * float64(time.Second)); {
	case r.State == replicate.StateStarting:
		return "it is starting"
	case r.FullSync != nil && r.FullSync.Path == "":
		return "it is in a full sync: " + names.Printable(r.FullSync.Reason)
	case r.State == replicate.StateFailing && r.Error != nil:
		return r.Error.ID + " " + names.Printable(r.Error.Message)
	case lag > maxLag && r.Held != nil:
		return "it is held: " + names.Printable(r.Held.Reason)
	case lag > maxLag:
		return fmt.Sprintf("it is %s behind", status.Duration(lag))
	}
	return ""
}
