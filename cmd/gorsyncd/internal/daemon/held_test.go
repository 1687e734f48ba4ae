package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// TestGone: what is not there, and not what cannot be looked at; and nobody waits for a
// source that hangs.
func TestGone(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "here"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	u := &unit{cfg: config.Source{Path: root}, looking: newLock()}
	lost, err := u.gone(t.Context(), []string{"here", "here/below", "lost"})
	if err != nil || !slices.Equal(lost, []string{"lost"}) {
		t.Errorf("%q, %v", lost, err)
	}
	if err := u.looking.take(t.Context()); err != nil { // somebody looks, and hangs
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := u.gone(ctx, []string{"here"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it waits for a source that hangs: %v", err)
	}
	u.looking.release()
	if lost, err := u.gone(t.Context(), []string{"lost"}); err != nil || len(lost) != 1 {
		t.Errorf("afterwards: %q, %v", lost, err)
	}
}
