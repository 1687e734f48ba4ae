package judge

import (
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// Options of a Judge.
type Options struct {
	Remotes []string // patterns of remotes and sinks; none for all
	MaxLag  time.Duration
}

// Judge looks at one selection. It is not for use by several goroutines.
type Judge struct {
	o         Options
	overflows map[string]*overflow
}

// overflow is what is known of lost events of a source.
type overflow struct {
	count uint64
	since time.Duration // the last one; of no meaning while count is 0
	seen  bool          // one was noticed
}

// settled is how long an event that is over counts as a condition.
const settled = 10 * time.Minute

// New has not looked yet.
func New(o Options) *Judge { return &Judge{o: o, overflows: map[string]*overflow{}} }

// Daemon is what the status does not tell.
type Daemon struct {
	Crashed string // how the process before this one ended, if not orderly; "" for orderly
	// Unknown tells why what the status says of the remotes of a source may be old: it
	// does not answer, or the daemon hangs. "" for what is known; nil for always.
	Unknown func(source string) string
}

func (j *Judge) selects(name string) bool {
	for _, p := range j.o.Remotes {
		if notify.Match(p, name) {
			return true
		}
	}
	return len(j.o.Remotes) == 0
}

// Look judges a status; elapsed is the monotonic time since the one before.
func (j *Judge) Look(elapsed time.Duration, s *status.Status, d Daemon) notify.View {
	v := notify.View{Elapsed: elapsed, Time: s.Time, Beat: notify.Beat{OK: true}}
	sources := map[string]*status.Source{}
	for i := range s.Sources {
		sources[s.Sources[i].Name] = &s.Sources[i]
	}
	wanted := map[string]bool{}
	for i := range s.Remotes {
		r := &s.Remotes[i]
		if !j.selects(r.Name) {
			continue
		}
		wanted[r.Source] = true
		v.Sights = append(v.Sights, j.remote(r, sources[r.Source]), j.lag(r.Name, r.State, r.LagSeconds, sources[r.Source]))
		j.beat(&v.Beat, r, sources[r.Source], d)
	}
	for i := range s.Sinks {
		k := &s.Sinks[i]
		if !j.selects(k.Name) {
			continue
		}
		wanted[k.Source] = true
		v.Sights = append(v.Sights, sinkSight(k), j.lag(k.Name, k.State, k.LagSeconds, sources[k.Source]))
	}
	if len(wanted) == 0 {
		v.Beat = notify.Beat{Why: "there is no remote that it could be about"}
	}
	for i := range s.Sources {
		if src := &s.Sources[i]; wanted[src.Name] || len(j.o.Remotes) == 0 {
			v.Sights = append(v.Sights, source(src), j.watching(src, elapsed))
		}
	}
	v.Sights = append(v.Sights, journalSight(&s.Journal), reloadSight(s.Daemon), crashSight(s.Daemon, d))
	if s.Journal.Waiting != "" {
		v.Beat = notify.Beat{Why: "nothing can be journaled"}
	}
	return v
}

// beat withholds a heartbeat for one remote.
func (j *Judge) beat(b *notify.Beat, r *replicate.Status, src *status.Source, d Daemon) {
	withhold := func(starting bool, why string) {
		if b.OK || b.Starting && !starting {
			*b = notify.Beat{Starting: starting, Why: why}
		}
	}
	lag := time.Duration(r.LagSeconds * float64(time.Second))
	switch {
	case d.Unknown != nil && d.Unknown(r.Source) != "":
		withhold(false, r.Name+" is not known: "+d.Unknown(r.Source))
	case src != nil && src.State == watch.StateHeld:
		withhold(false, "source "+src.Name+" is held")
	case r.State == replicate.StateFailing || r.State == replicate.StateHeld:
		withhold(false, r.Name+" is "+string(r.State))
	case r.State == replicate.StateStarting:
		withhold(true, r.Name+" is starting")
	case src != nil && src.Unseen():
		withhold(true, "source "+src.Name+" is being scanned for the first time since the start")
	case j.o.MaxLag > 0 && lag > j.o.MaxLag && r.State != replicate.StateWaiting:
		withhold(false, r.Name+" is further behind than max_lag")
	}
}
