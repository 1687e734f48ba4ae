package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
)

// BenchmarkAppend records changed files, all different, in calls of a size.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := source(b, openTest(b))
			record(b, s, dir("", 1))
			obs := make([]Observation, size)
			n := 0
			for b.Loop() {
				for i := range obs {
					n++
					obs[i] = file(fmt.Sprintf("dir%03d/file%07d", n/1000%1000, n%100000), uint64(n), int64(n))
				}
				record(b, s, obs...)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// indexed opens a journal with a baseline of 1000 directories and the given
// number of files.
func indexed(b *testing.B, files int) *Source {
	b.Helper()
	j, err := Open(Options{Dir: filepath.Join(b.TempDir(), "journal")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { j.Close() })
	s := source(b, j)
	for d := range 1000 {
		name := fmt.Sprintf("project%02d/dir%02d", d/100, d%100)
		obs := []Observation{dir(name, uint64(d+2))}
		for f := range files / 1000 {
			obs = append(obs, file(fmt.Sprintf("%s/file%05d", name, f), uint64(1000+d*10000+f), 0))
		}
		for i := range obs {
			obs[i].Baseline = true
		}
		record(b, s, obs...)
	}
	return s
}

// BenchmarkChildren lists every directory of an index, as a scan does.
func BenchmarkChildren(b *testing.B) {
	for _, files := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			s := indexed(b, files)
			for b.Loop() {
				n := 0
				for _, d := range dirs(b, s) {
					err := s.Children(d, func(string, Record, bool) error { n++; return nil })
					if err != nil {
						b.Fatal(err)
					}
				}
				if n < files {
					b.Fatalf("%d records", n)
				}
			}
			b.ReportMetric(float64(files)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	s := indexed(b, 100_000)
	n := 0
	for b.Loop() {
		n++
		d := n * 7919 % 1000
		path := fmt.Sprintf("project%02d/dir%02d/file%05d", d/100, d%100, n*31%100)
		if _, ok, err := s.Lookup(path); !ok || err != nil {
			b.Fatal(path, ok, err)
		}
	}
}

// BenchmarkRecordEqual records what the index knows already.
func BenchmarkRecordEqual(b *testing.B) {
	s := indexed(b, 100_000)
	var obs []Observation
	for f := range 100 {
		for d := range 10 {
			name := fmt.Sprintf("project%02d/dir%02d/file%05d", d, f, f)
			obs = append(obs, file(name, uint64(1000+(d*100+f)*10000+f), 0))
		}
	}
	head := s.Head()
	for b.Loop() {
		record(b, s, obs...)
	}
	if s.Head() != head {
		b.Fatal("not equal")
	}
}

// BenchmarkOpen opens a journal and with it verifies all that is in it.
func BenchmarkOpen(b *testing.B) {
	for _, files := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			j := indexed(b, files).j
			for b.Loop() {
				if err := j.Close(); err != nil {
					b.Fatal(err)
				}
				var err error
				if j, err = Open(Options{Dir: j.dir}); err != nil {
					b.Fatal(err)
				}
			}
			b.Cleanup(func() { j.Close() })
		})
	}
}

// BenchmarkAck commits a cursor with a few ranges.
func BenchmarkAck(b *testing.B) {
	s := source(b, openTest(b))
	r := remote(b, s, "nas")
	obs := []Observation{dir("", 1)}
	for i := range 100 {
		obs = append(obs, file(fmt.Sprint(i), uint64(i+2), 0))
	}
	record(b, s, obs...)
	c := Cursor{Done: []Range{{10, 20}, {30, 40}, {50, 60}}}
	for b.Loop() {
		if err := r.Commit(context.Background(), Update{Cursor: &c}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecordBehind changes files again and again that none or half of many
// remotes have had.
func BenchmarkRecordBehind(b *testing.B) {
	for _, remotes := range []int{0, 10, 500} {
		for _, apart := range []bool{false, true} {
			b.Run(fmt.Sprintf("remotes=%d,apart=%v", remotes, apart), func(b *testing.B) {
				s := source(b, openTest(b))
				record(b, s, dir("", 1))
				n := 0
				obs := make([]Observation, 100)
				again := func() {
					for i := range obs {
						n++
						obs[i] = file(fmt.Sprintf("file%03d", i), uint64(10+i), int64(n))
					}
					record(b, s, obs...)
				}
				rs := make([]*Remote, 0, remotes)
				for i := range remotes {
					rs = append(rs, remote(b, s, fmt.Sprintf("remote%03d", i)))
				}
				for round := range 4 { // some have come further than others
					again()
					for i, r := range rs {
						if apart && i%4 == round {
							ack(b, r, s.Head())
						}
					}
				}
				b.ResetTimer()
				for b.Loop() {
					again()
				}
				b.ReportMetric(float64(b.N*len(obs))/b.Elapsed().Seconds(), "entries/s")
			})
		}
	}
}
