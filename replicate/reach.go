package replicate

import (
	"context"
	"os"
	"time"
)

// Reached is the answer of a remote.
type Reached struct {
	Outcome Outcome       // class ClassOK: it would take what is sent
	Version string        // of its rsync; "" when it does not say
	Took    time.Duration // of a run that sends nothing
}

// Reach asks a remote whether it would take what is sent, and for its version,
// with two rsyncs that change nothing: a dry run of an empty directory, which a
// module that may not be written to refuses as well.
func Reach(ctx context.Context, target Target, r RsyncOptions) Reached {
	o := &Options{Target: target, Rsync: r}
	o.setDefaults()
	t := newRsyncTransport(o)
	defer t.Close()
	if out := t.checkPassword(); out.Class != "" {
		return Reached{Outcome: out}
	}
	dir, err := os.MkdirTemp("", "gorsyncd-reach-")
	if err != nil {
		return Reached{Outcome: Outcome{ID: "E-EXEC", Class: ClassTransient, Message: err.Error()}}
	}
	defer os.Remove(dir)
	at, err := os.Open(dir)
	if err != nil {
		return Reached{Outcome: Outcome{ID: "E-EXEC", Class: ClassTransient, Message: err.Error()}}
	}
	defer at.Close()
	run := func(more ...string) exited {
		argv := append(append(o.probeArgs(), "-n", "--dirs", "--filter=- *"), more...)
		return process{argv: append(argv, "--", "./", o.Target.address()), env: rsyncEnv(), root: at, umask: o.Rsync.Umask}.run(ctx)
	}
	begin := time.Now()
	e := run()
	got := Reached{Took: time.Since(begin), Outcome: t.outcome(e, &totals{})}
	if got.Outcome.Class == ClassOK {
		// What refuses an option may be gone before its words have been passed on.
		for tries := 0; tries < 2 && got.Version == ""; tries++ {
			got.Version = remoteVersion(run("-M" + askVersion).stderr)
		}
	}
	return got
}

// LocalVersion is what the rsync of this machine calls itself, such as "3.4.4"; ""
// when there is none, or it does not say.
func LocalVersion(ctx context.Context, path string) string { return localVersion(ctx, path) }

// OldVersion tells whether a version of rsync is one to warn of: see the guide on
// errors, W-RSYNC-OLD.
func OldVersion(v string) bool { return oldVersion(v) }
