package replicate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mode is what a run of rsync is for.
type Mode uint8

const (
	Send   Mode = iota
	Verify      // print what is still different, change nothing
)

// partialDir holds the beginnings of big files that were cut, on the remote.
const partialDir = ".gorsyncd-partial"

// argv is the command line for a batch, program first, with further options of
// ours. No shell reads it. The list of paths goes to stdin.
func (o *Options) argv(b *Batch, mode Mode, more ...string) []string {
	if b.Lane == LaneMove {
		return o.argvMove(b, mode, more)
	}
	return o.argvEnd(append(append(append(o.argvBegin(b, mode), fromStdin...), more...), o.laneArgs(b, mode)...))
}

// fromStdin says that the list comes from stdin. It implies the two of fromArgs.
var fromStdin = []string{"--from0", "--files-from=-"}

// fromArgs says that the list is made of arguments: they keep their directories,
// and a directory is sent without what is in it, unless it is "dir/".
var fromArgs = []string{"--relative", "--dirs"}

// argvNames is argv with a list of names as arguments.
func (o *Options) argvNames(b *Batch, mode Mode, names []string, more ...string) []string {
	a := append(append(append(o.argvBegin(b, mode), fromArgs...), more...), o.laneArgs(b, mode)...)
	return append(append(append(a, "--"), names...), o.Target.address())
}

// argvEnd adds source and target to a command line.
func (o *Options) argvEnd(a []string) []string {
	// For "./" rsync would go to the path of its working directory, whatever
	// stands there by then.
	return append(a, "--", ".", o.Target.address())
}

// argvBegin is what the command lines of all lanes begin with.
func (o *Options) argvBegin(b *Batch, mode Mode) []string {
	r := &o.Rsync
	// No -r: a directory is sent without what is in it, unless named "dir/".
	a := append([]string{r.Path, "-lptgoDH"}, o.alwaysArgs()...)
	a = append(a, "--stats", "--no-human-readable", "--out-format=%i|%n",
		"--timeout="+seconds(b.timeout(r.Timeout)))
	if o.Delete != DeleteNone {
		// A directory that became a file, or is gone, is removed with what is in it.
		a = append(a, "--force")
	}
	a = append(a, o.reach()...)
	if r.Compress {
		a = append(a, "-z")
	}
	if limit := r.BWLimit.arg(time.Now()); limit != "" {
		a = append(a, "--bwlimit="+limit)
	}
	if mode == Verify {
		a = append(a, "-n")
	} else if r.Fsync {
		a = append(a, "--fsync")
	}
	return append(a, b.bare.strip(r.Args)...)
}

// alwaysArgs are those of each run, of the probe's as well.
func (o *Options) alwaysArgs() []string {
	// Owners are numbers. High bytes of names are printed as they are.
	a := []string{"--numeric-ids", "-8"}
	if o.restricted() {
		// rrsync knows the long form only, and no -s: see plainName.
		return append(a, "-M--modify-window=-1", "--no-s")
	}
	// Times are compared to the nanosecond: a rewrite of the same size within
	// the same second would never be sent otherwise. File names are data on the
	// other side, too.
	return append(a, "--modify-window=-1", "-s")
}

// restricted tells whether rrsync stands before the rsync of the other side.
func (o *Options) restricted() bool { return o.Target.Kind == Shell && o.Rsync.SSH.RRsync }

// reach are the arguments that lead to the target.
func (o *Options) reach() []string {
	if o.Target.Kind == Local {
		return nil
	}
	r := &o.Rsync
	var a []string
	switch {
	case o.Target.OverSSH():
		a = append(a, "-e", o.sshCommand())
	case o.Target.Via == TLS:
		a = append(a, "-e", rshCommand(r.Connect))
	default:
		a = append(a, "--contimeout="+seconds(r.ConnectTimeout),
			// Small runs wait 40 ms for a delayed ACK otherwise.
			"--sockopts=TCP_NODELAY")
	}
	if o.Target.Kind == Daemon && r.PasswordFile != "" {
		a = append(a, "--password-file="+r.PasswordFile)
	}
	return a
}

// laneArgs are the arguments that make a lane.
func (o *Options) laneArgs(b *Batch, mode Mode) []string {
	var a []string
	missing := "--ignore-missing-args"
	if b.Removes {
		missing = "--delete-missing-args"
		if mode == Send {
			// Also print what is there and unchanged: see Batch.wants.
			a = append(a, "-ii")
		}
	}
	a = append(a, missing)
	if b.existing {
		a = append(a, "--existing")
	}
	switch b.Lane {
	case LaneTop:
		// "./x" implies the root, which stamps it.
	case LaneRoot:
		return append(a, "--exclude=*")
	case LaneReconcile:
		return append(a, o.reconcileArgs(b)...)
	case LaneBig:
		a = append(a, "--no-implied-dirs")
		if !o.restricted() { // rrsync makes one for all directories, and leaves it there
			a = append(a, "--partial-dir="+partialDir)
		}
	default:
		// Without this rsync would also stamp every directory above, with
		// attributes that another run may have replaced meanwhile.
		a = append(a, "--no-implied-dirs")
	}
	switch {
	case b.Content && mode == Verify:
		a = append(a, "--checksum")
	case b.Content:
		// Stronger than --checksum: a name that only the remote has for the
		// file keeps the old content.
		a = append(a, "--ignore-times")
	}
	return a
}

func (o *Options) reconcileArgs(b *Batch) []string {
	var a []string
	if !(len(b.Paths) == 1 && b.Paths[0] == "") {
		a = append(a, "--no-implied-dirs")
	}
	switch {
	case b.makes:
	case b.extras:
		a = append(a, "--delete", "--filter=P /"+probeName)
	case o.Delete == DeleteAll:
		a = append(a, "--delete", "--filter=P "+partialDir+"/", "--filter=P /"+probeName)
		if b.maxDelete > 0 {
			a = append(a, "--max-delete="+strconv.FormatUint(b.maxDelete, 10))
		}
	}
	if b.Content && !b.makes { // what is there was compared by the other run
		a = append(a, "--checksum")
	}
	return append(a, o.FilterArgs...)
}

// contentTimeout is the least time without traffic of a comparison of
// contents: rsync is silent while it reads a big file.
const contentTimeout = 10 * time.Minute

func (b *Batch) timeout(d time.Duration) time.Duration {
	if b.each != nil && b.Content {
		return max(d, contentTimeout)
	}
	return d
}

// list is what goes to rsync's stdin: NUL-separated names. The leading "./"
// keeps '#' and ';' from starting a comment and '-' from starting an option.
// Single names are in order: rsync looks at the directory of each that has another
// one than the name before.
func (b *Batch) list() []byte {
	names := slices.Concat(b.Paths, b.Parents)
	if b.Lane == LaneList || b.Lane == LaneTop {
		slices.Sort(names)
	}
	var out []byte
	for i, p := range names {
		out = append(out, "./"...)
		out = append(out, b.name(p)...)
		if b.Lane == LaneReconcile && i < len(b.Paths) && p != "" {
			out = append(out, '/')
		}
		out = append(out, 0)
	}
	return out
}

// sshCommand is the value of -e. rsync splits it at spaces itself and knows
// quotes, in which a doubled quote stands for one; no shell sees it.
func (o *Options) sshCommand() string {
	s := &o.Rsync.SSH
	secs := max(1, int(o.Rsync.Timeout/time.Second)/3)
	args := []string{"ssh", "-o", "BatchMode=yes"}
	for _, opt := range s.Options { // the first one counts
		args = append(args, "-o", opt)
	}
	args = append(args,
		"-o", "ConnectTimeout="+seconds(o.Rsync.ConnectTimeout),
		"-o", "ServerAliveInterval="+strconv.Itoa(secs),
		"-o", "ServerAliveCountMax=3",
	)
	if p := o.controlPath(); p != "" {
		args = append(args, "-o", "ControlMaster=auto", "-o", "ControlPath="+p, "-o", "ControlPersist=60")
	}
	if s.ConfigFile != "" {
		args = append(args, "-F", s.ConfigFile)
	}
	if p := o.sshPort(); p != 0 {
		args = append(args, "-p", strconv.Itoa(p))
	}
	if s.IdentityFile != "" {
		args = append(args, "-o", "IdentityFile="+quoteSSH(s.IdentityFile))
	}
	if s.KnownHosts != "" {
		args = append(args, "-o", "UserKnownHostsFile="+quoteSSH(s.KnownHosts))
	}
	return rshCommand(args)
}

// sshPort is that of the target, or else that of the settings; 0 for ssh's own choice.
func (o *Options) sshPort() int {
	if o.Target.Port != 0 {
		return o.Target.Port
	}
	return o.Rsync.SSH.Port
}

// rshCommand makes a value of -e.
func rshCommand(argv []string) string {
	quoted := make([]string, len(argv))
	for i, a := range argv {
		quoted[i] = quoteRSH(a)
	}
	return strings.Join(quoted, " ")
}

// MaxControlDir is the longest SSHOptions.ControlDir, in bytes: a socket's path
// has room for 107, of which ssh takes a slash, 40 characters for %C and, while
// connecting, 17 more.
const MaxControlDir = 107 - 1 - 40 - 17

// controlPath is where ssh puts the socket of a shared connection, "" for no
// sharing.
func (o *Options) controlPath() string {
	dir := o.Rsync.SSH.ControlDir
	if dir == "" || len(dir) > MaxControlDir || strings.ContainsAny(dir, "%\" \t") {
		return ""
	}
	return dir + "/%C"
}

// quoteRSH makes one word of rsync's -e.
func quoteRSH(s string) string {
	if s != "" && !strings.ContainsAny(s, " '\"") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// quoteSSH makes one value of an ssh option that is a list of files, in which
// ssh replaces what follows a percent sign.
func quoteSSH(s string) string {
	s = strings.ReplaceAll(s, "%", "%%")
	if !strings.ContainsAny(s, " \t\"'\\#") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}

// ownArgs are rsync options that would make a run lie about what it did, or
// change what the list means.
var ownArgs = []string{
	"-n", "--dry-run", "--list-only", "--files-from", "--from0", "--out-format", "--log-format", "--stats", "-q", "--quiet",
	"-r", "--recursive", "-a", "--archive", "-R", "--relative", "--no-relative", "--no-R", "--no-dirs", "--no-d",
	"-u", "--update", "--existing", "--ignore-existing", "--ignore-non-existing", "--remove-source-files",
	"--delete", "--del", "--delete-before", "--delete-during", "--delete-delay", "--delete-after", "--delete-excluded",
	"--delete-missing-args", "--ignore-missing-args", "--max-delete", "--files-from", "-s", "--no-s", "--daemon", "--server", "--sender",
	"-e", "--rsh", "--implied-dirs", "--modify-window", "-@", "--force", "--no-force", "--only-write-batch", "--read-batch", "--size-only",
	"--temp-dir", "-T", "--partial-dir", "--out-format", "-i", "--itemize-changes", "--human-readable", "-h", "--8-bit-output",
}

func checkArgs(args []string) error {
	for _, a := range args {
		name, _, _ := strings.Cut(a, "=")
		for _, own := range ownArgs {
			if name == own {
				return fmt.Errorf("rsync argument %s is set by gorsyncd itself", a)
			}
		}
		if a == "--" || !strings.HasPrefix(a, "-") {
			return fmt.Errorf("rsync argument %q is no option; write options with a value as --name=value", a)
		}
		if len(a) < 2 || a[1] == '-' {
			continue
		}
		for _, c := range a[1:] {
			if strings.ContainsRune("BMf", c) {
				break // the rest is its value
			}
			if strings.ContainsRune("nRraqusehiT@d", c) {
				return fmt.Errorf("rsync argument %s: -%c is set by gorsyncd itself", a, c)
			}
		}
	}
	return nil
}
