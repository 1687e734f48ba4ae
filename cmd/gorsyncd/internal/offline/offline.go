// Package offline answers from the journal's files while no daemon runs.
//
// It opens them read-only, or, after a crash, a temporary copy; nothing of the
// journal is changed. What it says is what was known when the daemon ended.
package offline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/events"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/cmd/gorsyncd/internal/strangers"
	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// View is an open journal without a daemon. Close it.
type View struct {
	j   *journal.Journal // nil when there is no journal yet
	how string
}

// Open opens the journal in dir. A daemon that holds it is an *control.Error
// with CodeUnreachable: it runs but was not reached.
func Open(dir string) (*View, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return &View{how: "there is no journal yet in " + dir + ", the daemon is not running"}, nil
	}
	j, how, err := journal.OpenOffline(dir)
	if errors.Is(err, journal.ErrLocked) {
		return nil, &control.Error{Code: control.CodeUnreachable, Err: err,
			Message: "a daemon holds the journal in " + dir + " but listens on another socket",
			Hint:    "give its socket with --socket, or the configuration it runs with"}
	}
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", dir, err)
	}
	return &View{j: j, how: spell(how)}, nil
}

func spell(how string) string {
	if how == "copy" {
		return "from a temporary copy after a crash, the daemon is not running"
	}
	return how + ", the daemon is not running"
}

// How says in words which way the journal is read.
func (v *View) How() string { return v.how }

// Close releases the journal and removes a temporary copy.
func (v *View) Close() error {
	if v.j == nil {
		return nil
	}
	return v.j.Close()
}

// Dump is that of the journal; nothing is dumped when there is none.
func (v *View) Dump(ctx context.Context, q journal.Query, row func(journal.Row) error) error {
	if v.j == nil {
		return nil
	}
	return v.j.Dump(ctx, q, row)
}

// Stats is that of the journal.
func (v *View) Stats() journal.Stats {
	if v.j == nil {
		return journal.Stats{}
	}
	return v.j.Stats()
}

// Events reads the journal as a stream, without following it. There are none when
// there is no journal.
func (v *View) Events(ctx context.Context, q events.Request, line func(events.Line) error) error {
	if v.j == nil {
		return nil
	}
	q.Follow = false
	return events.Read(ctx, v.j, q, line)
}

// Check is that of the journal.
func (v *View) Check(ctx context.Context) (journal.Report, error) {
	if v.j == nil {
		return journal.Report{}, nil
	}
	return v.j.Check(ctx)
}

// Status lists every configured remote as the journal knows it.
func (v *View) Status(c *config.Config, now time.Time) (status.Status, error) {
	s := status.New(now, status.FromJournal)
	s.Note = "the daemon is not running: what has changed since it ended is not known"
	s.Journal = v.journal(c)
	for _, sc := range c.Sources {
		src := status.Source{Name: sc.Name}
		src.Root, src.State = sc.Path, "stopped"
		s.Sources = append(s.Sources, src)
		for _, rc := range sc.Remotes {
			r, err := v.remote(sc, rc, now)
			if err != nil {
				return s, fmt.Errorf("read state of %s: %w", sc.FullName(rc), err)
			}
			s.Remotes = append(s.Remotes, r)
		}
		for _, kc := range sc.Sinks {
			k, err := v.sink(sc, kc, now)
			if err != nil {
				return s, fmt.Errorf("read state of %s: %w", sc.FullSinkName(kc), err)
			}
			s.Sinks = append(s.Sinks, k)
		}
	}
	if v.j == nil {
		return s, nil
	}
	var err error
	if s.Kept, err = new(strangers.Counter).Kept(v.j, c, now); err != nil {
		return s, fmt.Errorf("read what is kept for remotes that are not configured: %w", err)
	}
	return s, nil
}

func (v *View) journal(c *config.Config) status.Journal {
	return status.NewJournal(v.Stats(), int64(c.Journal.MaxSize))
}

func (v *View) remote(sc config.Source, rc config.Remote, now time.Time) (replicate.Status, error) {
	r := replicate.Status{
		Name: sc.FullName(rc), Source: sc.Name, Remote: rc.Name, Target: rc.Target.String(),
		State: replicate.StateStarting, InFlight: []replicate.BatchStatus{}, Findings: []replicate.FindingStatus{},
	}
	src, rem, err := v.find(sc.Name, rc.Name)
	if err != nil || rem == nil {
		return r, err
	}
	cursor, state := rem.Cursor(), rem.State()
	r.CursorSeq, r.HeadSeq = cursor.Low, src.Head()
	r.LastSuccess, r.LastFull = moment(state.LastSuccess), moment(state.LastFull)
	r.Findings = replicate.FindingsOf(state)
	if err := v.lag(&r, src, rem, now); err != nil {
		return r, err
	}
	retries, err := rem.Retries()
	if err != nil {
		return r, err
	}
	failing(&r, retries)
	full(&r, rem.FullSync())
	r.Verify = replicate.NewVerifyStatus(state.Verify, nil)
	if r.Error == nil {
		r.Error = r.Verify.Diverged(r.Name)
	}
	judge(&r, state)
	return r, nil
}

// find returns nil for what the journal does not know yet.
func (v *View) find(source, remote string) (*journal.Source, *journal.Remote, error) {
	if v.j == nil {
		return nil, nil, nil
	}
	src, err := v.j.Source(source)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	rem, err := src.Remote(remote)
	if errors.Is(err, journal.ErrNotFound) {
		return src, nil, nil
	}
	return src, rem, err
}

// lag is how far the remote is behind, for all that the journal knows.
func (v *View) lag(r *replicate.Status, src *journal.Source, rem *journal.Remote, now time.Time) error {
	l, err := replicate.StoredLag(src, rem, rem.Name())
	r.LagEntries, r.LagSeconds = l.Entries+l.Owed, l.Seconds(v.j.FromWall(now))
	return err
}

// failing shows the path that has been tried most.
func failing(r *replicate.Status, retries []journal.Retry) {
	var worst *journal.Retry
	for i, t := range retries {
		if t.Attempts == 0 {
			continue // queued again on purpose, not failed
		}
		r.Failing++
		if worst == nil || t.Attempts > worst.Attempts {
			worst = &retries[i]
		}
	}
	if worst != nil {
		r.Error = &replicate.StatusError{
			ID: worst.ErrorID, Class: replicate.ClassEntry, Message: worst.Error,
			Path: worst.Path, Attempts: worst.Attempts, NextRetry: moment(worst.Next),
		}
	}
}

func full(r *replicate.Status, f *journal.FullSync) {
	if f != nil {
		r.FullSync = &replicate.FullSyncStatus{Reason: f.Reason, Path: f.Sub, Started: f.Started,
			Checksum: f.Checksum, Links: f.Links, Done: f.Done, Total: f.Total}
	}
}

// failingAfter is how many attempts make a path one for a person, as the
// dispatcher counts them.
const failingAfter = 5

// judge picks the state word. What is behind without trouble is "starting":
// nothing moves until the daemon does.
func judge(r *replicate.Status, st journal.RemoteState) {
	switch {
	case st.Held != "":
		r.State, r.Held = replicate.StateHeld, &replicate.HeldStatus{Reason: st.Held, Since: st.HeldSince}
	case st.Paused:
		r.State, r.Paused = replicate.StatePaused, &replicate.PauseStatus{Reason: st.PauseReason, Until: moment(st.PausedUntil)}
	case r.Error != nil && r.Error.Attempts >= failingAfter:
		r.State = replicate.StateFailing
	case r.Failing > 0:
		r.State = replicate.StateRetrying
	case r.FullSync != nil:
		r.State = replicate.StateFullSync
	case st.Verify.Diverged > 0:
		r.State = replicate.StateFailing
	case r.LagEntries == 0:
		r.State = replicate.StateInSync
	}
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
