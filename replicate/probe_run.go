package replicate

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// probeRun is what one rsync of a probe came to.
type probeRun struct {
	out    Outcome
	stderr string
	lines  []probeLine
	sum    totals
	idle   bool // certainly nothing was written
}

// afresh tells whether a run that sent made the directory, so that all in it is
// its own.
func (r *probeRun) afresh() bool {
	ok := r.out.Class == ClassOK || r.out.Class == ClassEntry
	return ok && slices.ContainsFunc(r.lines, func(l probeLine) bool { return l.name == probeName && strings.HasPrefix(l.item, "cd+") })
}

// probeLine is one itemized line with the size that the sender reports.
type probeLine struct {
	item string
	size int64
	name string // "" for the directory itself
}

func (l probeLine) deleted() bool { return strings.HasPrefix(l.item, "*deleting") }

// differs tells whether one of rsync's item letters is set.
func (l probeLine) differs(letter byte) bool { return strings.IndexByte(l.item[2:], letter) >= 0 }

const probeFormat = "--out-format=%i|%l|%n"

func parseProbeLine(s string) (probeLine, bool) {
	item, rest, ok := strings.Cut(s, "|")
	size, name, ok2 := strings.Cut(rest, "|")
	n, err := strconv.ParseInt(strings.TrimSpace(size), 10, 64)
	if !ok || !ok2 || err != nil || len(item) != 11 {
		return probeLine{}, false
	}
	name = strings.Trim(strings.TrimPrefix(unescape(name), "./"), "/")
	return probeLine{item: item, size: n, name: name}, true
}

// run runs one rsync in dir.
func (s *probeSteps) run(dir string, argv []string, list []byte) probeRun {
	var r probeRun
	out := &lines{fn: func(line string) {
		if l, ok := parseProbeLine(line); ok {
			r.lines = append(r.lines, l)
			return
		}
		r.sum.read(line)
	}}
	lock, refused := s.t.alone.enter(s.ctx)
	if refused.Class != "" {
		return probeRun{out: refused}
	}
	at, err := os.Open(dir)
	if err != nil {
		return probeRun{out: sourceGone(err)}
	}
	defer at.Close()
	begin := time.Now()
	e := process{argv: argv, env: rsyncEnv(), stdin: list, stdout: out, root: at, lock: lock, umask: s.t.o.Rsync.Umask}.run(s.ctx)
	r.stderr = e.stderr
	r.out = s.t.outcome(e, &r.sum)
	whole := r.out.Class == ClassOK || r.out.Class == ClassEntry
	r.idle = len(r.lines) == 0 && (whole || e.neverBegan())
	if took := time.Since(begin); r.out.Class == ClassOK && (s.p.quick == 0 || took < s.p.quick) {
		s.p.quick = took
	}
	return r
}

// neverBegan tells whether an rsync ended before there was a list to go by: it was not
// started, the other side could not be reached, or one of them did not want what
// was asked (its codes 1, 4, 5 and 35, and 10 with the words of a connection that
// was never made).
func (e *exited) neverBegan() bool {
	switch e.code {
	case 1, 4, 5, 35:
		return true
	case 10:
		return strings.Contains(e.stderr, "failed to connect to ")
	}
	return e.err != nil
}

// probeArgs begin the command line of each run of a probe.
func (o *Options) probeArgs() []string {
	a := append([]string{o.Rsync.Path}, o.alwaysArgs()...)
	a = append(a, probeFormat, "--timeout="+seconds(o.Rsync.Timeout))
	return append(append(a, o.reach()...), reachingArgs(o.Rsync.Args)...)
}

func (o *Options) probeSendArgv(more ...string) []string {
	a := append(o.probeArgs(), "-lptgoD", "--from0", "--files-from=-", "--no-implied-dirs")
	return append(append(a, more...), "--", "./", o.Target.address())
}

// probeDeleteArgv removes by deletion in the root, where a filter protects
// everything else. It gives the root no attributes.
func (o *Options) probeDeleteArgv() []string {
	return append(o.probeArgs(), "--dirs", "--delete", "--filter=R /"+probeName, "--filter=R /"+probeName+"/***", "--filter=- *",
		"--", "./", o.Target.address())
}

// probeVersionArgv would do nothing even if the remote took it.
func (o *Options) probeVersionArgv() []string {
	return append(o.probeArgs(), "-n", "--dirs", "--filter=- *", "-M"+askVersion, "--", "./", o.Target.address())
}

func (o *Options) probeRemoveArgv() []string {
	return append(o.probeArgs(), "-lptgoD", "--from0", "--files-from=-", "--no-implied-dirs", "--delete-missing-args", "--force",
		"--", "./", o.Target.address())
}

// probeReadArgv compares what the remote reads with what was sent: a dry run
// in the other direction, which writes nothing here. It also prints what is
// equal.
func (o *Options) probeReadArgv() []string {
	return append(o.probeArgs(), "-lptgoD", "-r", "-n", "-ii", "--", o.Target.address()+probeName+"/", "./"+probeName+"/")
}
