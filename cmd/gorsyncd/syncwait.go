package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
)

// syncPoll is how often a full sync that is waited for is looked at.
const syncPoll = 500 * time.Millisecond

// syncWait waits for full syncs until they are done, or cannot get on without a
// person.
type syncWait struct {
	app     *app
	status  func(ctx context.Context) (status.Status, error)
	timeout time.Duration // 0: none
	line    *progressLine

	begun   time.Time
	waiting []string // full names, in order
	last    map[string]syncStep
	blocked []string // why, one for each that is not waited for any more
	problem bool     // one of them needs a person
}

// syncStep is a line of sync --wait --json.
type syncStep struct {
	Remote   string                    `json:"remote"`
	State    replicate.State           `json:"state"`
	FullSync *replicate.FullSyncStatus `json:"full_sync"` // null when it is done
	Done     bool                      `json:"done"`
}

// run returns nil when all are done.
func (w *syncWait) run(ctx context.Context) error {
	w.begun, w.last = w.app.now(), map[string]syncStep{}
	if w.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.timeout, errSyncTimeout)
		defer cancel()
	}
	defer w.line.clear()
	for {
		s, err := w.status(ctx)
		if err == nil {
			err = w.look(s)
		}
		switch {
		case errors.Is(context.Cause(ctx), errSyncTimeout):
			return w.failed(w.unfinished())
		case err != nil:
			return err
		case len(w.waiting) == 0:
			return w.failed(nil)
		}
		w.line.show(w.each, w.all)
		select {
		case <-ctx.Done():
		case <-time.After(syncPoll):
		}
		if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errSyncTimeout) {
			return silent(control.ExitInterrupted)
		}
	}
}

var errSyncTimeout = errors.New("the time is up")

// look tells what has become of those that are waited for.
func (w *syncWait) look(s status.Status) error {
	for _, name := range slices.Clone(w.waiting) {
		i := slices.IndexFunc(s.Remotes, func(r replicate.Status) bool { return r.Name == name })
		if i < 0 {
			w.block(name, "is not configured any more", false)
			continue
		}
		if err := w.step(s, s.Remotes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *syncWait) step(s status.Status, r replicate.Status) error {
	step := syncStep{Remote: r.Name, State: r.State, FullSync: r.FullSync, Done: r.FullSync == nil}
	before, known := w.last[r.Name]
	w.last[r.Name] = step
	if w.app.json && (!known || !reflect.DeepEqual(before, step)) {
		if err := w.app.printJSON(step); err != nil {
			return err
		}
	}
	if step.Done {
		w.drop(r.Name)
		w.line.clear()
		if w.app.json {
			return nil
		}
		return w.app.print("%s: full sync done after %s\n", names.Printable(r.Name), status.Duration(w.app.now().Sub(w.begun)))
	}
	if why, person := stands(s, r); why != "" {
		w.block(r.Name, why, person)
	}
	return nil
}

// stands tells why waiting is of no use: somebody has to do something first. "" says
// that it is.
func stands(s status.Status, r replicate.Status) (why string, person bool) {
	for _, src := range s.Sources {
		if src.Name == r.Source && src.State == "held" {
			return fmt.Sprintf("source %s is held: %s: gorsyncd approve '%s/*'", src.Name, src.Held, src.Name), true
		}
	}
	switch r.State {
	case replicate.StatePaused:
		return "is paused: gorsyncd resume " + r.Name, false
	case replicate.StateHeld:
		if r.Held != nil {
			return fmt.Sprintf("is held: %s: gorsyncd approve %s", r.Held.Reason, r.Name), true
		}
		return "is held: gorsyncd approve " + r.Name, true
	case replicate.StateFailing:
		if r.Error != nil {
			return fmt.Sprintf("is failing: %s %s", r.Error.ID, r.Error.Message), true
		}
		return "is failing", true
	}
	return "", false
}

func (w *syncWait) block(name, why string, person bool) {
	w.drop(name)
	w.blocked = append(w.blocked, name+" "+why)
	w.problem = w.problem || person
}

func (w *syncWait) drop(name string) {
	w.waiting = slices.DeleteFunc(w.waiting, func(n string) bool { return n == name })
}

// unfinished says how far those are that are waited for still.
func (w *syncWait) unfinished() []string {
	var lines []string
	for _, name := range w.waiting {
		lines = append(lines, fmt.Sprintf("%s is not done after %s: %s", name, status.Duration(w.timeout), w.text(name)))
	}
	return lines
}

// failed is the error about those that are not done, nil for none.
func (w *syncWait) failed(more []string) error {
	lines := slices.Concat(w.blocked, more)
	if len(lines) == 0 {
		return nil
	}
	e := &control.Error{Code: control.CodeNotInSync, Message: strings.Join(lines, "\n"), Hint: "the full sync is noted and goes on by itself; gorsyncd status shows it"}
	if w.problem {
		e.Code = control.CodeProblem
	}
	return e
}

// each: www/nas 24 % of 5 000 directories, 48 210 files (5.0 GiB) left, ~12m34s.
func (w *syncWait) each() string {
	parts := make([]string, 0, len(w.waiting))
	for _, name := range w.waiting {
		parts = append(parts, names.Printable(name)+" "+w.text(name))
	}
	return strings.Join(parts, "; ")
}

// all: 3 full syncs, 96 420 files (10 GiB) left, ~21m3s. What is not known of one of
// them is not said.
func (w *syncWait) all() string {
	files, bytes, longest := uint64(0), int64(0), 0.0
	counted, timed := true, true
	for _, name := range w.waiting {
		f := w.last[name].FullSync
		if f == nil || f.FilesLeft == nil || f.BytesLeft == nil {
			counted, timed = false, false
			break
		}
		files, bytes = files+*f.FilesLeft, bytes+*f.BytesLeft
		if timed = timed && f.SecondsLeft != nil; timed {
			longest = max(longest, *f.SecondsLeft)
		}
	}
	text := fmt.Sprintf("%d %s", len(w.waiting), plural(uint64(len(w.waiting)), "full sync", "full syncs"))
	if counted {
		text += fmt.Sprintf(", %s files (%s) left", status.Count(files), status.Bytes(bytes))
	}
	if timed {
		text += ", ~" + status.Duration(time.Duration(longest*float64(time.Second)))
	}
	return text
}

func (w *syncWait) text(name string) string {
	step := w.last[name]
	f := step.FullSync
	switch {
	case f == nil:
		return "is asked for"
	case f.Waiting:
		return "waits for the first scan"
	case f.Links:
		return "hard links"
	case f.Total == 0:
		return "begins"
	}
	text := fmt.Sprintf("%d %% of %s directories", min(100, 100*f.Done/f.Total), status.Count(f.Total))
	if f.FilesLeft != nil && f.BytesLeft != nil {
		text += fmt.Sprintf(", %s files (%s) left", status.Count(*f.FilesLeft), status.Bytes(*f.BytesLeft))
	}
	if f.SecondsLeft != nil {
		text += ", ~" + status.Duration(time.Duration(*f.SecondsLeft*float64(time.Second)))
	}
	if step.State == replicate.StateRetrying {
		text += ", retrying"
	}
	return text
}
