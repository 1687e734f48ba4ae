//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Enabled tells whether the program was built with failpoints.
const Enabled = true

// action is what happens at one place.
type action struct {
	kind string        // kill, error, sleep
	at   int           // which hit; 0: each
	wait time.Duration // sleep
	hits int
}

var (
	mu      sync.Mutex
	actions = map[string]*action{}
	once    sync.Once
)

// parse reads NAME=ACTION[@HIT][;…]. A mistake ends the program: a harness
// that asks for a fault must get it.
func parse(text string) {
	for part := range strings.SplitSeq(text, ";") {
		if part == "" {
			continue
		}
		name, what, ok := strings.Cut(part, "=")
		what, at, counted := strings.Cut(what, "@")
		a := &action{kind: what}
		var err error
		if counted {
			a.at, err = strconv.Atoi(at)
		}
		if ms, isSleep := strings.CutPrefix(what, "sleep"); isSleep {
			var n int
			n, err = strconv.Atoi(ms)
			a.kind, a.wait = "sleep", time.Duration(n)*time.Millisecond
		}
		if !ok || err != nil || a.kind != "kill" && a.kind != "error" && a.kind != "sleep" {
			fmt.Fprintf(os.Stderr, "GORSYNCD_FAILPOINTS: cannot read %q\n", part)
			os.Exit(64)
		}
		actions[name] = a
	}
}

// due counts a hit and returns what is to happen.
func due(name string) (action, bool) {
	once.Do(func() { parse(os.Getenv("GORSYNCD_FAILPOINTS")) })
	mu.Lock()
	defer mu.Unlock()
	for _, key := range []string{name, "*"} {
		a := actions[key]
		if a == nil {
			continue
		}
		if a.hits++; a.at == 0 || a.hits == a.at {
			return *a, true
		}
	}
	return action{}, false
}

// Hit passes a place.
func Hit(name string) {
	a, ok := due(name)
	if !ok {
		return
	}
	switch a.kind {
	case "kill":
		fmt.Fprintf(os.Stderr, "failpoint %s: kill\n", name)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it takes effect
	case "sleep":
		time.Sleep(a.wait)
	}
}

// Fail passes a place where an error can be injected.
func Fail(name string) error {
	if a, ok := due(name); ok && a.kind == "error" {
		return fmt.Errorf("failpoint %s", name)
	}
	return nil
}
