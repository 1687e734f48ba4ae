package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/control"
	"gorsyncd/cmd/gorsyncd/internal/names"
	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// allStarted waits until every source has been started: a command that comes
// right after the start is about what is configured, not about what runs so far.
func (d *Daemon) allStarted(ctx context.Context) error {
	select {
	case <-d.ready:
		return nil
	case <-d.soft.Done():
		return &control.Error{Code: control.CodeUnreachable, Message: "the daemon is stopping"}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// chosen are the remotes that names or globs select.
func (d *Daemon) chosen(ctx context.Context, patterns []string) ([]pair, error) {
	if err := d.allStarted(ctx); err != nil {
		return nil, err
	}
	all := d.allRemotes()
	full := make([]string, len(all))
	for i, r := range all {
		full[i] = r.name
	}
	picked, err := control.Select(patterns, full)
	if err != nil {
		return nil, err
	}
	want := map[string]bool{}
	for _, n := range picked {
		want[n] = true
	}
	var out []pair
	for _, r := range all {
		if want[r.name] {
			out = append(out, r)
		}
	}
	return out, nil
}

// each applies fn to the chosen remotes and returns their names.
func (d *Daemon) each(ctx context.Context, patterns []string, fn func(pair) error) ([]string, error) {
	remotes, err := d.chosen(ctx, patterns)
	if err != nil {
		return nil, err
	}
	done := []string{}
	for _, r := range remotes {
		if err := fn(r); err != nil {
			return done, fmt.Errorf("%s: %w", r.name, err)
		}
		done = append(done, r.name)
	}
	return done, nil
}

// operated is what can be paused and hurried: a remote or a sink.
type operated struct {
	operable
	name string
	unit *unit
}

type operable interface {
	Pause(ctx context.Context, reason string, until time.Time) error
	Resume(ctx context.Context) error
	RetryNow(paths []string)
}

// eachReader applies fn to the chosen remotes and sinks and returns their names.
func (d *Daemon) eachReader(ctx context.Context, patterns []string, fn func(operated) error) ([]string, error) {
	if err := d.allStarted(ctx); err != nil {
		return nil, err
	}
	var all []operated
	for _, r := range d.allRemotes() {
		all = append(all, operated{r.disp, r.name, r.unit})
	}
	for _, r := range d.allReaders() {
		all = append(all, operated{r.sink, r.name, r.unit})
	}
	full := make([]string, len(all))
	for i, r := range all {
		full[i] = r.name
	}
	picked, err := control.Select(patterns, full)
	if err != nil {
		return nil, err
	}
	done := []string{}
	for _, r := range all {
		if !slices.Contains(picked, r.name) {
			continue
		}
		if err := fn(r); err != nil {
			return done, fmt.Errorf("%s: %w", r.name, err)
		}
		done = append(done, r.name)
	}
	return done, nil
}

// Pause implements control.Operator.
func (d *Daemon) Pause(ctx context.Context, q control.PauseRequest) ([]string, error) {
	var until time.Time
	if q.For > 0 {
		until = time.Now().Add(q.For)
	}
	return d.eachReader(ctx, q.Names, func(r operated) error { return r.Pause(ctx, q.Reason, until) })
}

// Resume implements control.Operator.
func (d *Daemon) Resume(ctx context.Context, patterns []string) ([]string, error) {
	return d.eachReader(ctx, patterns, func(r operated) error { return r.Resume(ctx) })
}

// approveWait bounds how long Approve waits for the scan of a released source.
const approveWait = 10 * time.Second

// Approve implements control.Operator: it releases a guard of the source, and
// then the remotes. The scan in between may find that much is gone; the
// approval covers it.
func (d *Daemon) Approve(ctx context.Context, patterns []string) ([]string, error) {
	remotes, err := d.chosen(ctx, patterns)
	if err != nil {
		return nil, err
	}
	var held []*unit
	for _, r := range remotes {
		if r.unit.tree.Status().State == watch.StateHeld {
			r.unit.tree.Approve()
			held = append(held, r.unit)
		}
	}
	wait, cancel := context.WithTimeout(ctx, approveWait)
	defer cancel()
	if _, err := fences(wait, held); err != nil {
		d.log.Warn("the scan of an approved source is not complete; what it finds may need another approval", "error", err)
	}
	return d.each(ctx, patterns, func(r pair) error { return r.disp.Approve(ctx) })
}

// Retry implements control.Operator.
func (d *Daemon) Retry(ctx context.Context, q control.RetryRequest) ([]string, error) {
	byUnit, err := d.relative(q.Paths)
	if err != nil {
		return nil, err
	}
	return d.eachReader(ctx, q.Names, func(r operated) error {
		if paths := byUnit[r.unit]; len(q.Paths) == 0 || len(paths) > 0 {
			r.RetryNow(paths)
		}
		return nil
	})
}

// relative sorts absolute paths by the source they lie in.
func (d *Daemon) relative(paths []names.Path) (map[*unit][]string, error) {
	out := map[*unit][]string{}
	for _, p := range paths {
		abs, err := p.Raw()
		if err != nil {
			return nil, &control.Error{Code: control.CodeUsage, Message: err.Error(), Err: err}
		}
		u, rel, err := d.locate(abs)
		if err != nil {
			return nil, err
		}
		out[u] = append(out[u], rel)
	}
	return out, nil
}

// Sync implements control.Operator.
func (d *Daemon) Sync(ctx context.Context, q control.SyncRequest, line func(control.SyncProgress)) error {
	parts, err := d.chosenParts(ctx, q.Names, q.Sub)
	if err != nil {
		return err
	}
	for _, r := range parts {
		if err := syncOne(ctx, r.pair, replicate.FullSyncRequest{Reason: "requested", Sub: r.rel, Checksum: q.Checksum}, q.DryRun, line); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// part is a remote, and the path in its source that a request is about.
type part struct {
	pair
	rel string
}

// chosenParts returns the chosen remotes in whose source sub lies, at least one.
func (d *Daemon) chosenParts(ctx context.Context, patterns []string, sub names.Path) ([]part, error) {
	remotes, err := d.chosen(ctx, patterns)
	if err != nil {
		return nil, err
	}
	path, err := sub.Raw()
	if err != nil {
		return nil, &control.Error{Code: control.CodeUsage, Message: err.Error(), Err: err}
	}
	var parts []part
	for _, r := range remotes {
		if rel, ok := below(r.unit.cfg.Path, path); ok {
			parts = append(parts, part{r, rel})
		}
	}
	if len(parts) == 0 {
		return nil, &control.Error{Code: control.CodeNotFound, Message: fmt.Sprintf("%q is in none of the chosen sources", path)}
	}
	return parts, nil
}

// below turns an absolute path inside root, or a relative one, into a path
// relative to root.
func below(root, sub string) (string, bool) {
	if !strings.HasPrefix(sub, "/") {
		return strings.Trim(filepath.Clean("/"+sub), "/"), true
	}
	rel, err := filepath.Rel(root, sub)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	if rel == "." {
		rel = ""
	}
	return rel, true
}

func syncOne(ctx context.Context, r pair, req replicate.FullSyncRequest, dry bool, line func(control.SyncProgress)) error {
	if !dry {
		if err := r.disp.FullSync(ctx, req); err != nil {
			return err
		}
		line(control.SyncProgress{Remote: r.name})
		return nil
	}
	diff, err := r.disp.DryRun(ctx, req)
	for _, l := range diff {
		line(control.SyncProgress{Remote: r.name, Line: l})
	}
	return err
}

// Inspect implements control.JournalReader.
func (d *Daemon) Inspect(ctx context.Context, q journal.Query, row func(journal.Row) error) error {
	return d.journal.Dump(ctx, q, row)
}

// JournalStats implements control.JournalReader.
func (d *Daemon) JournalStats(context.Context) (journal.Stats, error) { return d.journal.Stats(), nil }

// JournalCheck implements control.JournalReader.
func (d *Daemon) JournalCheck(ctx context.Context) (journal.Report, error) {
	r, err := d.journal.Check(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		return r, fmt.Errorf("check journal: %w", err)
	}
	return r, err
}
