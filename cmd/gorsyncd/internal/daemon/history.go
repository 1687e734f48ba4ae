package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/history"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

const (
	// sampleEvery a look is taken at how far remotes are behind.
	sampleEvery = time.Minute
	// saveEvery histories are written: a crash loses that much of them.
	saveEvery = 5 * time.Minute
)

// histories are those of all remotes, also of some that are no longer configured.
type histories struct {
	dir string
	log *slog.Logger

	mu   sync.Mutex
	logs map[string]*history.Log // by full name
	down [2]time.Time            // in between nobody was there to note anything
}

// openHistories reads when the daemon was last alive and forgets the histories of
// remotes that have not been configured for as long as any is kept.
func openHistories(stateDir string, configured []string, now time.Time, log *slog.Logger) *histories {
	h := &histories{dir: history.Dir(stateDir), log: log, logs: map[string]*history.Log{}}
	if fi, err := os.Stat(h.alive()); err == nil && now.Sub(fi.ModTime()) > 2*sampleEvery {
		h.down = [2]time.Time{fi.ModTime(), now}
	}
	files, _ := fs.Glob(os.DirFS(h.dir), "*/*") // none when there is no directory
	for _, name := range files {
		f := filepath.Join(h.dir, name)
		fi, err := os.Stat(f)
		if err != nil || slices.Contains(configured, name) || now.Sub(fi.ModTime()) < history.KeepDays*24*time.Hour {
			continue
		}
		if err := os.Remove(f); err != nil {
			log.Warn("cannot remove the history of a remote", "remote", name, "error", err)
		}
	}
	return h
}

// alive is a file whose time tells when the daemon last was.
func (h *histories) alive() string { return h.dir + ".alive" }

// of returns the history of a remote, always the same one.
func (h *histories) of(name string) *history.Log {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.logs[name]; l != nil {
		return l
	}
	l, err := history.Load(filepath.Join(h.dir, name))
	if err != nil {
		h.log.Warn("the history of a remote cannot be read: it begins anew", "remote", name, "error", err)
	}
	if !h.down[0].IsZero() && !l.Empty() {
		l.Down(h.down[0], h.down[1])
	}
	h.logs[name] = l
	return l
}

// save writes what is new. What cannot be written is written next time.
func (h *histories) save() {
	h.mu.Lock()
	logs := maps.Clone(h.logs)
	h.mu.Unlock()
	for name, l := range logs {
		if err := l.Save(filepath.Join(h.dir, name)); err != nil {
			h.log.Warn("the history of a remote cannot be written", "remote", name, "error", err)
		}
	}
}

// touch notes that the daemon is alive.
func (h *histories) touch(now time.Time) {
	err := os.Chtimes(h.alive(), now, now)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.WriteFile(h.alive(), nil, 0o600)
	}
	if err != nil {
		h.log.Debug("cannot note that the daemon is alive", "error", err)
	}
}

// remember samples and saves until ctx ends.
func (d *Daemon) remember(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	d.histories.touch(time.Now())
	saved := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.histories.touch(now)
			for _, r := range d.allRemotes() {
				sample(d.histories.of(r.name), r.disp.Status(), now)
			}
			if now.Sub(saved) >= saveEvery {
				d.histories.save()
				saved = now
			}
		}
	}
}

// sample notes how far a remote is behind. An outage that ended without anything
// to send is noticed here.
func sample(l *history.Log, s replicate.Status, now time.Time) {
	l.Behind(now, time.Duration(s.LagSeconds*float64(time.Second)))
	if s.Error == nil && s.Held == nil && s.State == replicate.StateInSync {
		l.Health(now, "")
	}
}

// observer notes in a history what a dispatcher tells.
type observer struct{ *history.Log }

func (o observer) Ended(e replicate.Ending) {
	kind := history.KindFull
	if e.Verify {
		kind = history.KindVerify
	}
	o.Ran(history.Run{Kind: kind, Begin: e.Began, End: e.Ended, Reason: names.Printable(e.Reason), Path: names.Printable(e.Path),
		Checksum: e.Checksum, Complete: e.Complete, Dirs: e.Dirs, Paths: e.Paths,
		Differences: e.Differences, Repaired: e.Repaired, Message: names.Printable(e.Message)})
}

// Report implements control.Historian. It reads every record of what fails, so only
// one is made at a time.
func (d *Daemon) Report(ctx context.Context, q control.ReportRequest) (control.Report, error) {
	now := time.Now().UTC()
	out := control.Report{Source: "daemon", Since: q.Since.UTC(), Until: now, Remotes: []control.RemoteReport{}}
	if err := d.reporting.take(ctx); err != nil {
		return out, err
	}
	defer d.reporting.release()
	remotes, err := d.chosen(ctx, q.Names)
	if err != nil {
		return out, err
	}
	for _, r := range remotes {
		st, l := r.disp.Status(), d.histories.of(r.name)
		sample(l, st, now)
		rep := control.RemoteReport{Remote: r.name, Sum: l.Sum(q.Since, now), BehindNow: st.LagSeconds}
		if q.Spans {
			rep.Spans = l.Spans(q.Since, now)
		}
		store, err := r.unit.src.Remote(r.cfg.Name)
		if err != nil {
			return out, err
		}
		if err := addFailing(ctx, &rep, store); err != nil {
			return out, err
		}
		out.Remotes = append(out.Remotes, rep)
	}
	return out, nil
}

// addFailing goes through the records without holding them all, or a commit up.
func addFailing(ctx context.Context, rep *control.RemoteReport, store *journal.Remote) error {
	rep.SetFailing(nil)
	after, begun := "", false
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var list []journal.Retry
		var err error
		if list, more, err = store.RetryPage(after, begun, entriesStep); err != nil {
			return err
		}
		rep.AddFailing(list)
		if n := len(list); n > 0 {
			after, begun = list[n-1].Path, true
		}
	}
	return nil
}
