package journal

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// TestTablesAreMerged fills level 0 with the tables at which a compaction is
// due: it must not wait for more.
func TestTablesAreMerged(t *testing.T) {
	small(t)
	j := reopen(t, Options{Dir: filepath.Join(t.TempDir(), "journal")})
	s := source(t, j)
	for n := 0; levels(j)[0] < compactTables && levels(j)[6] == 0; n++ {
		var obs []Observation
		for f := range uint64(200) {
			name := sha256.Sum256(fmt.Append(nil, n, f))
			obs = append(obs, file(fmt.Sprintf("%x", name), 1000+f, int64(n)))
		}
		record(t, s, obs...)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		j.compact()
		l := levels(j)
		if l[0] < compactTables && l[6] > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("tables by level after the compaction: %v", l)
		}
	}
}
