package journal

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestCommitted: each group of writes is told once, with a time that it took.
func TestCommitted(t *testing.T) {
	var n, nanos atomic.Int64
	j, err := Open(Options{Dir: filepath.Join(t.TempDir(), "j"), Committed: func(d time.Duration) { n.Add(1); nanos.Add(int64(d)) }})
	if err != nil {
		t.Fatal(err)
	}
	src, err := j.Source("s")
	if err != nil {
		t.Fatal(err)
	}
	before, _ := j.Committing()
	for i := range 5 {
		o := Observation{Path: fmt.Sprint(i), State: State{Type: File, Size: 1}}
		if _, err := src.Record(t.Context(), []Observation{o}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil { // the committer has ended
		t.Fatal(err)
	}
	begun, _ := j.Committing()
	if begun-before < 5 || n.Load() != int64(begun) || nanos.Load() <= 0 {
		t.Errorf("%d groups, %d of them for 5 records, %d told, %d ns", begun, begun-before, n.Load(), nanos.Load())
	}
}
