package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"gorsyncd/journal"
	"gorsyncd/watch"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func cpu() time.Duration {
	var r syscall.Rusage
	must(syscall.Getrusage(0, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func main() {
	root, backend, jdir := os.Args[1], os.Args[2], os.Args[3]
	fence := jdir + "-fence"
	os.MkdirAll(fence, 0o700)
	j, err := journal.Open(journal.Options{Dir: jdir})
	must(err)
	defer j.Close()
	src, err := j.Source("s")
	must(err)
	if len(os.Args) > 4 && os.Args[4] != "" {
		f, err := os.Create(os.Args[4])
		must(err)
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	start, c0 := time.Now(), cpu()
	t, err := watch.New(watch.Options{Root: root, Index: src, Roots: src, FenceDir: fence, Backend: watch.Backend(backend)})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- t.Run(ctx) }()
	<-t.Ready()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	s := t.Status()
	fmt.Printf("%s ready %.2fs cpu %.2fs dirs %d watches %d marked %d heap %dMiB\n", backend, time.Since(start).Seconds(), (cpu() - c0).Seconds(), s.Dirs, s.Watches, s.Marked, m.HeapAlloc>>20)
	if len(os.Args) > 5 { // noise
		other := os.Args[5]
		c0 := cpu()
		st := time.Now()
		s0 := t.Status()
		fmt.Println("go")
		var b [1]byte
		os.Stdin.Read(b[:])
		time.Sleep(200 * time.Millisecond)
		s1 := t.Status()
		fmt.Printf("noise in %s: cpu %.3fs in %.2fs, events kept %d overflows %d\n", other, (cpu() - c0).Seconds(), time.Since(st).Seconds(), s1.Events-s0.Events, s1.Overflows)
	}
	cancel()
	<-done
}
