package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

var _ control.API = (*Daemon)(nil)

// config is the configuration in force.
func (d *Daemon) config() *config.Config {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.cfg
}

// allUnits is a snapshot of the running units.
func (d *Daemon) allUnits() []*unit {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return append([]*unit(nil), d.units...)
}

// pair is a remote with the unit it belongs to.
type pair struct {
	*remote
	unit *unit
}

// allRemotes is a snapshot of the running remotes in the order of the
// configuration.
func (d *Daemon) allRemotes() []pair {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []pair
	for _, u := range d.units {
		for _, r := range u.remotes {
			out = append(out, pair{r, u})
		}
	}
	return out
}

// Status implements control.Viewer.
func (d *Daemon) Status(context.Context) (status.Status, error) {
	now := time.Now()
	s := status.New(now, status.FromDaemon)
	c := d.config()
	s.Daemon = d.about(now, c)
	s.Journal = journalStatus(d.journal.Stats(), c)
	s.Journal.Waiting = d.patience.reason()
	for _, u := range d.allUnits() {
		s.Sources = append(s.Sources, status.Source{Name: u.cfg.Name, Status: u.tree.Status()})
	}
	s.Remotes = statuses(d.allRemotes())
	for i := range s.Remotes {
		s.Remotes[i].Progress(now)
	}
	for _, r := range d.allReaders() {
		s.Sinks = append(s.Sinks, r.sink.Status())
	}
	for _, b := range d.allBells() {
		s.Notifiers = append(s.Notifiers, b.teller.Status())
	}
	kept, err := d.kept.Kept(d.journal, c, now)
	if err != nil {
		s.Note = fmt.Sprintf("what is kept for remotes that are not configured is not known: %v", err)
	}
	s.Kept = append(s.Kept, kept...)
	return s, nil
}

func (d *Daemon) about(now time.Time, c *config.Config) *status.Daemon {
	a := &status.Daemon{Version: d.opts.Version, PID: os.Getpid(), Goroutines: runtime.NumGoroutine(), UptimeSeconds: now.Sub(d.started).Seconds(), ConfigFile: c.File}
	if d.web != nil {
		a.HTTP = d.web.Status()
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if !d.lastReload.at.IsZero() {
		at := d.lastReload.at.UTC()
		a.LastReload = &at
	}
	a.NeedsRestart = slices.Clone(d.needsRestart)
	if d.lastReload.err != nil {
		a.LastReloadError = d.lastReload.err.Error()
	}
	return a
}

func journalStatus(st journal.Stats, c *config.Config) status.Journal {
	out := status.Journal{SizeBytes: st.DiskBytes, MaxBytes: int64(c.Journal.MaxSize)}
	most := uint64(0)
	for _, s := range st.Sources {
		out.HeadSeq += s.Head
		out.Entries += s.Entries
		if s.Pinned > most {
			name, _ := sink.NameOf(s.PinnedBy)
			most, out.PinnedBy = s.Pinned, s.Name+"/"+name
		}
		if t := s.OldestEntry; !t.IsZero() && (out.OldestEntry == nil || t.Before(*out.OldestEntry)) {
			out.OldestEntry = &t
		}
	}
	return out
}

// ConfigShow implements control.Viewer.
func (d *Daemon) ConfigShow(context.Context) (string, error) { return d.config().Show() }

// locate finds the source an absolute path lies in and its path there.
func (d *Daemon) locate(abs string) (*unit, string, error) {
	abs = filepath.Clean(abs)
	for _, u := range d.allUnits() {
		if abs == u.cfg.Path {
			return u, "", nil
		}
		if rel, ok := strings.CutPrefix(abs, strings.TrimSuffix(u.cfg.Path, "/")+"/"); ok {
			return u, rel, nil
		}
	}
	return nil, "", &control.Error{Code: control.CodeNotFound, Message: fmt.Sprintf("%q is in no source", abs),
		Hint: "gorsyncd config show lists the sources"}
}

// remotesOf are the remotes of one unit.
func (d *Daemon) remotesOf(u *unit) []*remote {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return append([]*remote(nil), u.remotes...)
}

// Explain implements control.Viewer.
func (d *Daemon) Explain(_ context.Context, abs string) (control.Explanation, error) {
	u, rel, err := d.locate(abs)
	if err != nil {
		return control.Explanation{}, err
	}
	x := explainTree(u.tree.Explain(rel), abs, u.cfg.Name)
	if x.Filter.Excluded {
		return x, nil
	}
	e, ok, err := u.src.Latest(rel)
	if err != nil {
		return x, fmt.Errorf("read journal: %w", err)
	}
	if ok {
		x.Entry = &control.EntryInfo{Seq: e.Seq, Op: control.OpName(e.Op), Time: d.journal.OnWall(e.Time)}
	}
	if rec, live, err := u.src.Lookup(rel); err != nil {
		return x, fmt.Errorf("read index: %w", err)
	} else if live {
		x.Behind = rec.Behind
	}
	for _, r := range d.remotesOf(u) {
		x.Remotes = append(x.Remotes, explainRemote(r, rel, x.Exists && x.Type == "directory"))
	}
	return x, nil
}

// explainTree translates what the watcher knows.
func explainTree(e watch.Explanation, abs, source string) control.Explanation {
	x := control.Explanation{
		Path: names.NewPath(abs), Source: source, Exists: e.Exists, Type: e.Type, SizeBytes: e.Size,
		Filter: e.Verdict, Watched: e.Watched, Remotes: []control.RemotePath{},
	}
	if !e.Mtime.IsZero() {
		x.Modified = &e.Mtime
	}
	switch {
	case e.Held != "":
		x.WatchNote = "held: " + e.Held
	case e.Error != "":
		x.WatchNote = e.Error
	case !e.Watched && !e.Verdict.Excluded:
		x.WatchNote = "scanned from time to time"
	}
	return x
}

func explainRemote(r *remote, rel string, isDir bool) control.RemotePath {
	out := control.RemotePath{Remote: r.name}
	if r.cfg.Filter.Match(rel, isDir).Excluded {
		out.State = "excluded"
		return out
	}
	p := r.disp.Explain(rel)
	out.State, out.Position = string(p.State), uint64(p.Position)
	if p.State == replicate.PathAcked {
		out.State = "delivered"
		if isDir && r.disp.StaysAway(rel) {
			out.Note = "made there with the first thing in it (empty_dirs: false)"
		}
		return out
	}
	switch p.Sending {
	case replicate.StateHeld, replicate.StatePaused, replicate.StateWaiting:
		out.State = string(p.Sending)
	}
	if e := p.Error; e != nil {
		out.ErrorID, out.Message, out.Attempts, out.NextRetry = e.ID, e.Message, e.Attempts, e.NextRetry
	}
	if t := p.Retry; t != nil {
		out.ErrorID, out.Message, out.Attempts = t.ErrorID, t.Error, t.Attempts
		next := t.Next
		out.NextRetry = &next
	}
	return out
}
