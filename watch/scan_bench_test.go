package watch

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// BenchmarkScan is a restart over a tree that did not change.
func BenchmarkScan(b *testing.B) {
	for _, n := range []struct{ dirs, files int }{{1000, 100}, {10, 10_000}} {
		b.Run(fmt.Sprintf("dirs=%d/files=%d", n.dirs, n.dirs*n.files), func(b *testing.B) {
			r := newRig(b)
			for d := range n.dirs {
				if err := os.Mkdir(r.path(fmt.Sprint(d)), 0o755); err != nil {
					b.Fatal(err)
				}
				for f := range n.files {
					if err := os.WriteFile(r.path(fmt.Sprintf("%d/%d", d, f)), nil, 0o644); err != nil {
						b.Fatal(err)
					}
				}
			}
			time.Sleep(2 * confirmAfter)
			b.ReportAllocs()
			for b.Loop() {
				tree, err := New(r.o)
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan error)
				go func() { ended <- tree.Run(ctx) }()
				<-tree.Ready()
				cancel()
				<-ended
			}
			b.ReportMetric(float64(n.dirs*n.files), "files/op")
		})
	}
}

// BenchmarkStart is the first start over many directories: what watching them
// costs beside their scan.
func BenchmarkStart(b *testing.B) {
	const dirs = 20_000
	for _, backend := range []Backend{BackendInotify, BackendFanotify} {
		b.Run(string(backend), func(b *testing.B) {
			r := newRig(b)
			r.sh(`for i in {1..200}; do mkdir $i; (cd $i; mkdir {1..99}); done`)
			for b.Loop() {
				r.idx = newFakeIndex(b)
				r.o.Index, r.o.Roots = r.idx, r.idx
				r.start()
				r.waitReady()
				r.stop()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*dirs), "ns/dir")
		})
	}
}
