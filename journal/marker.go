package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// markerName is a file among Badger's that says why the journal must not be
// used again: it was found damaged while it was in use, which need not show
// at the next look, or it was set aside, and other journals have told the
// remotes of changes since.
const markerName = "UNUSABLE"

// markUnusable leaves an older reason in place.
func markUnusable(dir, why string) error {
	name := filepath.Join(dir, markerName)
	if exists(name) {
		return nil
	}
	line := fmt.Sprintf("%s %s\n", time.Now().UTC().Format(time.RFC3339), why)
	if err := writeDurable(name, []byte(line)); err != nil {
		return fmt.Errorf("mark journal unusable: %w", err)
	}
	return syncDir(dir)
}

// readMarker returns a *LostError with the reason, if there is one.
func readMarker(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, markerName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read journal marker: %w", err)
	}
	return &LostError{Dir: dir, What: "it was marked unusable: " + strings.TrimSpace(string(b))}
}

// damaged fails the journal for what was found missing while it is in use,
// and makes sure that the next Open says so, too.
func (j *Journal) damaged(what string) error {
	if j.readOnly {
		return &LostError{Dir: j.dir, What: what}
	}
	if err := markUnusable(j.dir, what); err != nil {
		j.log.Warn("damaged journal cannot be marked", "error", err)
	}
	return j.fail(&LostError{Dir: j.dir, What: what})
}
