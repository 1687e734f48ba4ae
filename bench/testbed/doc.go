// Package testbed is what gorsyncd's tests, demonstration and benchmarks stand
// on: real rsync daemons and ssh servers on loopback ports, the oracle that
// decides whether two trees are equal, and a workload that changes a tree in
// every way that users and programs do.
//
//	d := testbed.RunRsyncd(t, testbed.Module{Name: "www", Path: dst})
//	target := d.Target("www")                 // rsync://127.0.0.1:PORT/www/
//	testbed.NewChurn(src, seed).Steps(500)
//	testbed.WaitEqual(t, src, dst, time.Minute)
//
// Every process started here dies with the process that started it, also when
// that one is killed: each is started with a parent-death signal by a goroutine
// that keeps its OS thread for the life of the child (the signal is sent when
// the starting *thread* ends, prctl(2)).
//
// A missing rsync or sshd is an error that names the package to install; it
// never skips a test.
package testbed
