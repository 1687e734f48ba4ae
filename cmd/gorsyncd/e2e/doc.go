// Package e2e holds the end-to-end tests of gorsyncd: the built binary, real
// rsync daemons, a real ssh server, real trees. Nothing here reaches into the
// program; tests use its command line, its JSON and its exit codes as a person
// or a script would, and judge by tree equality (bench/testbed).
//
// After every test the daemon is stopped and `gorsyncd journal check` must find
// nothing wrong. Random tests print their seed; GORSYNCD_SEED replays one.
// GORSYNCD_LOGS names a directory that keeps each daemon's log.
//
// TestDocs follows the guides of ../docs; GORSYNCD_UPDATE_DOCS=1 writes what was
// printed into them.
package e2e
