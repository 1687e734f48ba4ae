package watch

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkCoalescer passes bursts of events, three for each path as for a file
// that is created, written and closed, and takes what is due.
func BenchmarkCoalescer(b *testing.B) {
	for _, n := range []struct{ dirs, files int }{{1, 100}, {100, 100}, {10, 10_000}} {
		b.Run(fmt.Sprintf("dirs=%d/files=%d", n.dirs, n.dirs*n.files), func(b *testing.B) {
			var paths []string
			for d := range n.dirs {
				for f := range n.files {
					paths = append(paths, fmt.Sprintf("project/dir%03d/file%05d", d, f))
				}
			}
			b.ReportAllocs()
			due := 0
			for b.Loop() {
				c := newCoalescer(2*time.Millisecond, time.Second)
				for i, p := range paths {
					now := time.Duration(i) * 10 * time.Microsecond
					for _, h := range []hint{hintName | hintEvent | hintMade, hintWrite, hintWrite} {
						c.add(p, h, now, int64(now))
					}
				}
				looks, scans, all := popAll(c, time.Hour)
				if all {
					b.Fatal("the whole tree is scanned")
				}
				due = len(looks) + len(scans)
			}
			b.ReportMetric(float64(3*len(paths))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(due), "due/op")
		})
	}
}
