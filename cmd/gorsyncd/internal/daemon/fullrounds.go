package daemon

import (
	"context"
	"time"

	cron "github.com/netresearch/go-cron"

	"gorsyncd/replicate"
)

// fullRounds starts the full syncs that are due. When the last one ended is in the
// journal: what fell due while the daemon did not run is made up for, once. Only the
// goroutine of upkeep uses it.
type fullRounds struct {
	next map[string]fullDue // by the full name of the remote
}

type fullDue struct {
	schedule string
	at       time.Time // when it fires
	asked    time.Time // when that was worked out
}

// lastFull tells when the last complete full sync of a remote ended, zero for never,
// and whether one of everything is under way.
type lastFull func() (ended time.Time, running bool)

// round starts what is due now.
func (f *fullRounds) round(ctx context.Context, d *Daemon, now time.Time) {
	for _, r := range d.allRemotes() {
		schedule := r.cfg.FullSync.Schedule
		last := func() (time.Time, bool) {
			st := r.disp.Status()
			running := st.FullSync != nil && st.FullSync.Path == ""
			if st.LastFull == nil {
				return time.Time{}, running
			}
			return *st.LastFull, running
		}
		if !f.due(r.name, schedule, now, last) {
			continue
		}
		d.log.Info("scheduled full sync", "remote", r.name)
		req := replicate.FullSyncRequest{Reason: "schedule " + schedule}
		err := ask(ctx, func(ctx context.Context) error { return r.disp.FullSync(ctx, req) })
		switch {
		case err == nil:
			f.served(r.name, schedule, now)
		case ctx.Err() == nil:
			d.log.Error("scheduled full sync could not be journaled", "remote", r.name, "error", err)
		}
	}
}

// due tells whether a full sync has to be started. One that is under way serves for
// one that falls due meanwhile.
func (f *fullRounds) due(name, schedule string, now time.Time, last lastFull) bool {
	if schedule == "" {
		delete(f.next, name)
		return false
	}
	n, known := f.next[name]
	if !known || n.schedule != schedule || now.Round(0).Before(n.asked) { // the clock was set back
		from, _ := last()
		if from.IsZero() || from.After(now) || known {
			from = now
		}
		f.set(name, schedule, from, now)
		n = f.next[name]
	}
	if n.at.IsZero() || now.Before(n.at) {
		return false
	}
	if _, running := last(); running {
		f.served(name, schedule, now)
		return false
	}
	return true
}

// served notes that what was due has been started.
func (f *fullRounds) served(name, schedule string, now time.Time) { f.set(name, schedule, now, now) }

func (f *fullRounds) set(name, schedule string, from, now time.Time) {
	s, err := cron.ParseStandard(schedule)
	if err != nil {
		return // the configuration has checked it
	}
	if f.next == nil {
		f.next = map[string]fullDue{}
	}
	f.next[name] = fullDue{schedule: schedule, at: s.Next(from.Round(0)), asked: now.Round(0)}
}
