package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gorsyncd/journal"
)

// replacing names the file that stands beside a journal from before it is set
// aside until every remote of the fresh one has its full sync on record. Killed
// in between, the next start goes on: the fresh journal alone would look like
// that of a first start, with nothing to remove anywhere.
func replacing(journalDir string) string { return journalDir + ".replacing" }

// replaceFurther finishes the replacement of a journal that was cut short, and
// tells whether there was one.
func (d *Daemon) replaceFurther(ctx context.Context, j *journal.Journal, o journal.Options) (lost bool, err error) {
	b, err := os.ReadFile(replacing(o.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	since, perr := time.Parse(time.RFC3339Nano, string(b))
	if err = errors.Join(err, perr); err != nil {
		d.log.Warn("it is not known which journal was replaced", "error", err)
		return true, nil
	}
	asides, err := filepath.Glob(o.Dir + ".lost-" + since.UTC().Format("20060102T150405Z") + "*")
	if err != nil {
		return true, fmt.Errorf("look for the journal set aside: %w", err)
	}
	slices.Sort(asides)
	for _, aside := range slices.Backward(asides) {
		if st, err := os.Stat(aside); err == nil && st.IsDir() {
			return true, d.salvage(ctx, j, aside)
		}
	}
	return true, nil
}

// replaced ends a replacement.
func (d *Daemon) replaced() {
	if err := os.Remove(replacing(d.cfg.JournalDir())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("the next start looks once more for what the journal set aside knew of", "error", err)
	}
}
