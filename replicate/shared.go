package replicate

import (
	"context"
	"fmt"
	"time"
)

// forget has the next run over ssh log in anew after one that needed a person:
// what a server allows a key is decided when it logs in, and runs that share an old
// connection would not see what was repaired. Runs under way, of other remotes as
// well, go on.
func (t *rsyncTransport) forget(out Outcome) {
	if out.Class == ClassConfig {
		t.tellShared("stop")
	}
}

// tellShared sends a command of ssh -O to the process that shares its connection.
func (t *rsyncTransport) tellShared(command string) {
	if !t.o.Target.OverSSH() || t.o.controlPath() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s := &t.o.Rsync.SSH
	argv := []string{"ssh", "-O", command, "-o", "BatchMode=yes", "-o", "ControlPath=" + t.o.controlPath()}
	if s.ConfigFile != "" {
		argv = append(argv, "-F", s.ConfigFile)
	}
	if p := t.o.sshPort(); p != 0 {
		argv = append(argv, "-p", fmt.Sprint(p))
	}
	for _, opt := range s.Options {
		argv = append(argv, "-o", opt)
	}
	login := t.o.Target.Host
	if t.o.Target.User != "" {
		login = t.o.Target.User + "@" + login
	}
	// No master is an error that is as good as success.
	process{argv: append(argv, login), env: rsyncEnv()}.run(ctx)
}
