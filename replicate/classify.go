package replicate

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Class says what an outcome means for what comes next.
type Class string

const (
	ClassOK        Class = "ok"
	ClassEntry     Class = "entry"     // some paths failed: a verify pass tells which
	ClassTransient Class = "transient" // the remote as a whole; heals by itself
	ClassConfig    Class = "config"    // the remote as a whole; needs a person
	ClassHeld      Class = "held"      // a guard stopped it
	ClassCanceled  Class = "canceled"  // we stopped it
)

// Outcome is what a run of rsync came to.
type Outcome struct {
	ID      string // stable, such as E-AUTH; "" for ok and canceled
	Class   Class
	Message string // rsync's own words, one line
	Hint    string // what a person can do; "" when nothing
}

// rule names one failure. Exit codes alone do not classify: rsync uses 5 for
// a busy server as well as for a wrong password, and 12 for an ssh that could
// not log in as well as for a lost connection. A rule matches when the code is
// one of its codes and the text, if any, is in stderr. A text with … stands for
// a whole line, "[sender]" and the like left out of it: it is for codes with
// which stderr is full of file names, which may say anything. No codes means any
// that does not leave the connection's work to single paths (0, 23, 24).
type rule struct {
	codes []int
	text  string
	id    string
	class Class
	hint  string
}

const fsyncHint = "the rsync that receives needs to be 3.2.4 or later: upgrade it, or set fsync: false"

const approveHint = "look at what would be deleted, then approve the remote"

// The texts are rsync's and ssh's under LC_ALL=C; the tests provoke them. First
// match wins.
var rules = []rule{
	// A failed path turns code 25 into 23, a vanished one into 24, and a server
	// that was stopped leaves us with 0. Only rsync begins a line with these
	// words: names it prints stand further right.
	{[]int{0, 23, 24, 25}, "Deletions stopped due to --max-delete limit…", "G-MAXDELETE", ClassHeld, approveHint},
	{nil, "auth failed on module", "E-AUTH", ClassConfig, "check the user and password_file against auth users and the secrets file of the server (both files need mode 600)"},
	{nil, "Unknown module", "E-MODULE", ClassConfig, "list the server's modules with: rsync HOST::"},
	{nil, "access denied to", "E-DENIED", ClassConfig, "allow this machine with hosts allow on the server"},
	{nil, "max connections", "E-BUSY", ClassTransient, "lower workers, or raise max connections of the module"},
	{nil, "module is read only", "E-READONLY", ClassConfig, "set read only = false for the module"},
	{nil, "module is write only", "E-READONLY", ClassConfig, "set write only = false for the module"},
	// rrsync, before it starts rsync: its message is all there is.
	{[]int{12}, "rrsync error: sending to read-only server", "E-READONLY", ClassConfig, "take -ro off the rrsync of the key on the server"},
	{[]int{12}, "rrsync error: reading from write-only server", "E-READONLY", ClassConfig, "take -wo off the rrsync of the key on the server"},
	{[]int{12}, "rrsync error: Another instance of rrsync", "E-BUSY", ClassTransient, "give the rrsync of the key -no-lock, or set workers: 1 and warm: 0"},
	{[]int{12}, "rrsync error: option --delete", "E-REFUSED", ClassConfig, "take -no-del off the rrsync of the key on the server, or set delete: none"},
	{[]int{12}, "rrsync error: option -s has been disabled", "E-RRSYNC", ClassConfig, "the key runs rrsync: set ssh.rrsync: true"},
	{[]int{12}, "rrsync error: invalid rsync-command", "E-RRSYNC", ClassConfig, "set ssh.rrsync: true, and take out of rsync.args what rrsync does not know"},
	{[]int{12}, "rrsync error: ", "E-RRSYNC", ClassConfig, "see rrsync(1) and the key in authorized_keys on the server"},
	// Our own connection through TLS.
	{nil, "gorsyncd tls: certificate: ", "E-TLS-CERT", ClassConfig, "see that the name in the target is one of the certificate's, that it has not expired, and that tls.ca_file names who signed it"},
	{nil, "gorsyncd tls: setting: ", "E-TLS-FILE", ClassConfig, "see tls.ca_file, tls.cert_file and tls.key_file: PEM files that gorsyncd's user can read, the key by nobody else"},
	{nil, "gorsyncd tls: refused: ", "E-TLS-CERT", ClassConfig, "the server wants a certificate of ours that it knows: set tls.cert_file and tls.key_file"},
	{nil, "gorsyncd tls: handshake: ", "E-TLS", ClassTransient, "is this the port for TLS (874), not that of the daemon itself (873)?"},
	{nil, "gorsyncd tls: look up: ", "E-DNS", ClassTransient, "check the host name and the resolver"},
	{nil, "gorsyncd tls: connect: ", "E-CONNECT", ClassTransient, "is the server running, and is this its port?"},
	{nil, "gorsyncd tls: connection: ", "E-CONNECT", ClassTransient, ""},
	{nil, "could not open password file", "E-PASSFILE", ClassConfig, "create the password_file, readable only by its owner (chmod 600)"},
	{nil, "password file must not be other-accessible", "E-PASSFILE", ClassConfig, "chmod 600 the password_file"},
	{nil, "password file must be owned by root", "E-PASSFILE", ClassConfig, "chown root the password_file"},
	{nil, "--password-file", "E-PASSFILE", ClassConfig, "password_file is for rsync daemons only"},
	{[]int{1, 4}, "--fsync: unknown option", "E-FSYNC", ClassConfig, fsyncHint},
	{[]int{1, 4}, "refuse --fsync", "E-FSYNC", ClassConfig, "take fsync out of refuse options on the server, or set fsync: false"},
	{nil, "The server is configured to refuse", "E-REFUSED", ClassConfig, "take the named option out of refuse options on the server, or out of rsync.args"},
	{nil, "refusing to delete", "E-REFUSED", ClassConfig, "take delete out of refuse options on the server, or set delete: none"},
	{[]int{5}, "chdir failed", "E-MODPATH", ClassConfig, "the directory of the module is missing on the server: create or mount it"},
	{[]int{5}, "chroot failed", "E-MODPATH", ClassConfig, "the directory of the module is missing on the server: create or mount it"},
	{[]int{3, 10, 11, 23}, "rsync: change_dir…", "E-MODPATH", ClassConfig, "the destination directory is missing or cannot be entered: create or mount it"},
	{[]int{11}, "rsync: mkdir…", "E-MODPATH", ClassConfig, "the parent of the destination directory is missing: create or mount it"},
	{[]int{11, 12, 23}, "rsync: …: No space left on device (28)", "E-NOSPACE", ClassTransient, "free space on the remote"},
	{[]int{11, 12, 23}, "rsync: …: Disk quota exceeded (122)", "E-NOSPACE", ClassTransient, "raise the quota on the remote, or free space there"},
	{nil, "REMOTE HOST IDENTIFICATION HAS CHANGED", "E-HOSTKEY", ClassConfig, "the server's key changed: if that is expected, replace it in known_hosts"},
	{nil, "Host key verification failed", "E-HOSTKEY", ClassConfig, "add the server's key to known_hosts (ssh-keyscan HOST, after checking the fingerprint)"},
	{nil, "Permission denied (publickey", "E-SSH-AUTH", ClassConfig, "put our public key into authorized_keys on the server; set ssh.identity_file"},
	{nil, "Permission denied (password", "E-SSH-AUTH", ClassConfig, "use a key: passwords cannot be typed here"},
	{nil, "Permission denied (keyboard", "E-SSH-AUTH", ClassConfig, "use a key: passwords cannot be typed here"},
	{nil, "Too many authentication failures", "E-SSH-AUTH", ClassConfig, "set ssh.identity_file and the ssh option IdentitiesOnly=yes"},
	{nil, "rsync: command not found", "E-REMOTE-RSYNC", ClassConfig, "install rsync on the server"},
	{nil, "rsync: not found", "E-REMOTE-RSYNC", ClassConfig, "install rsync on the server"},
	{nil, "remote command not found", "E-REMOTE-RSYNC", ClassConfig, "install rsync on the server"},
	{[]int{14}, "Failed to exec", "E-SSH", ClassConfig, "install an ssh client"},
	{nil, "Name or service not known", "E-DNS", ClassTransient, "check the host name and the resolver"},
	{nil, "Temporary failure in name resolution", "E-DNS", ClassTransient, "check the resolver"},
	{nil, "No address associated with hostname", "E-DNS", ClassTransient, "check the host name"},
	{nil, "Could not resolve hostname", "E-DNS", ClassTransient, "check the host name and the resolver"},
	{nil, "Connection refused", "E-CONNECT", ClassTransient, "is the server running, and is this its port?"},
	{nil, "No route to host", "E-CONNECT", ClassTransient, ""},
	{nil, "Network is unreachable", "E-CONNECT", ClassTransient, ""},
	{nil, "Connection timed out", "E-CONNECT", ClassTransient, ""},
	{[]int{2}, "invalid file mode", "E-RSYNC-343", ClassConfig, "the server's rsync aborts removals (RsyncProject/rsync#910): upgrade it to 3.4.4 or later"},
	{[]int{2}, "is your shell clean", "E-SHELL", ClassConfig, "the login shell of the server prints something: make it silent for non-interactive sessions"},
	{[]int{2}, "protocol version mismatch", "E-SHELL", ClassConfig, "the login shell of the server prints something, or its rsync is too old"},
	// The directories above a listed path went while the list was read.
	{[]int{2}, "ABORTING due to invalid path from sender: …", idChanged, ClassEntry, ""},
	{[]int{30, 35}, "", "E-TIMEOUT", ClassTransient, ""},
	{[]int{25}, "", "G-MAXDELETE", ClassHeld, approveHint},
	{[]int{0, 24}, "", "", ClassOK, ""},
	{[]int{10}, "", "E-CONNECT", ClassTransient, ""},
	{[]int{255}, "", "E-SSH", ClassTransient, ""},
	{[]int{5}, "", "E-START", ClassTransient, ""},
	{[]int{12}, "ssh: ", "E-SSH", ClassTransient, ""},
	{[]int{12}, "", "E-PROTOCOL", ClassTransient, "the connection broke; the server's log may say why"},
	{[]int{14}, "", "E-IPC", ClassTransient, ""},
	{[]int{16, 19, 20, -1}, "", "E-KILLED", ClassTransient, "something killed rsync"},
	{[]int{22}, "", "E-MEMORY", ClassTransient, "rsync ran out of memory; lower batch files"},
	{[]int{4}, "", "E-REFUSED", ClassConfig, "the server refuses an option; see its refuse options"},
	{[]int{1}, "", "E-USAGE", ClassConfig, "check rsync.args; rsync did not accept the command line"},
	{[]int{2}, "", "E-PROTOCOL", ClassConfig, "the two rsyncs do not understand each other: upgrade the older one"},
	{[]int{6, 13, 15, 21, 3}, "", "E-RSYNC", ClassTransient, ""},
	{[]int{126, 127}, "", "E-EXEC", ClassConfig, "install rsync, or set rsync.path"},
	{[]int{23}, "", "E-PARTIAL", ClassEntry, ""},
	{[]int{11}, "", "E-DEST-IO", ClassEntry, ""},
}

// Classify says what a run with this exit code and this text on stderr came
// to. Codes below 0 mean that a signal ended it. Code 24 (source files
// vanished) is ok: what vanished has a new entry of its own.
func Classify(code int, stderr string) Outcome {
	for _, r := range rules {
		line, ok := r.matches(code, stderr)
		if !ok {
			continue
		}
		o := Outcome{ID: r.id, Class: r.class, Hint: r.hint}
		if o.Class != ClassOK {
			o.Message = tidy(line)
			if line == "" {
				o.Message = tellingLine(stderr)
			}
		}
		if o.Class == ClassEntry && o.ID != idChanged {
			o = entryOutcome(o, o.Message)
		}
		return o
	}
	return Outcome{ID: "E-RSYNC", Class: ClassTransient, Message: tellingLine(stderr)}
}

// matches also returns the line with the rule's text, "" if it has none.
func (r rule) matches(code int, stderr string) (line string, ok bool) {
	if !r.hasCode(code) {
		return "", false
	}
	if r.text == "" {
		return "", true
	}
	begin, end, whole := strings.Cut(r.text, "…")
	for line := range strings.Lines(stderr) {
		line = strings.TrimRight(line, "\r\n")
		if !whole && strings.Contains(line, r.text) {
			return line, true
		}
		plain := roleTag.ReplaceAllString(line, "rsync: ")
		if whole && strings.HasPrefix(plain, begin) && strings.HasSuffix(plain[len(begin):], end) {
			return line, true
		}
	}
	return "", false
}

// roleTag is how rsync says which of its processes speaks.
var roleTag = regexp.MustCompile(`^rsync: \[\w+\] `)

func (r rule) hasCode(code int) bool {
	if len(r.codes) == 0 {
		return code != 0 && code != 23 && code != 24
	}
	for _, c := range r.codes {
		if c == code || c == -1 && code < 0 {
			return true
		}
	}
	return false
}

// inTheWayText is what rsync says, with the path behind it, when a directory
// with something in it stands where something else is to be. Without --force
// it stays.
const inTheWayText = "could not make way for new "

// symlinkText ends what rsync says of a path with a symbolic link on the way to
// it.
const symlinkText = ": Too many levels of symbolic links (40)"

// shrunk tells whether rsync reached the end of a file before the size that it had
// when it was listed (ENODATA, fileio.c): somebody is writing it anew.
func shrunk(line string) bool {
	return strings.HasPrefix(roleTag.ReplaceAllString(line, "rsync: "), "rsync: read errors mapping \"") &&
		strings.HasSuffix(line, "\": No data available (61)")
}

// entryOutcome refines the failure of a path by rsync's words about it.
func entryOutcome(o Outcome, line string) Outcome {
	o.Class = ClassEntry
	o.Message = line
	denied := strings.Contains(line, "Permission denied") || strings.Contains(line, "Operation not permitted")
	switch {
	case strings.HasPrefix(line, inTheWayText):
		o.ID, o.Hint = "E-DEST-NOTEMPTY", "a directory is in the way on the remote: delete: none keeps it; remove it there, or let deletions through"
	case strings.HasSuffix(line, symlinkText) && strings.HasPrefix(line, "rsync: [sender] "):
		o.ID, o.Hint = "E-SRC-LINK", "somebody replaced a directory of the source by a symbolic link while it was read; it was not followed"
	case shrunk(line):
		o.ID = idChanged
	case denied && strings.Contains(line, "[sender]"):
		o.ID, o.Hint = "E-SRC-PERM", "let the daemon's user read the path"
	case denied:
		o.ID, o.Hint = "E-DEST-PERM", "check owner, mode and attributes (lsattr) on the remote"
	case strings.Contains(line, "Read-only file system"):
		o.ID, o.Hint = "E-DEST-ROFS", "mount the remote's file system writable; a target on this machine: see gorsyncd doctor"
	case strings.Contains(line, "File too large"):
		o.ID, o.Hint = "E-DEST-TOOBIG", "the remote's file system or limits do not take a file of this size"
	case strings.Contains(line, "Operation not supported"):
		o.ID, o.Hint = "E-DEST-UNSUPPORTED", "the remote's file system lacks xattrs or ACLs: take -A and -X out of rsync.args for it"
	case strings.Contains(line, "File name too long"):
		o.ID, o.Hint = "E-DEST-NAME", "the remote's file system does not take this name"
	case strings.HasSuffix(line, ": No space left on device (28)"), strings.HasSuffix(line, ": Disk quota exceeded (122)"):
		o.ID, o.Hint = "E-NOSPACE", "free space on the remote"
	}
	return o
}

// sourceOutcome is the failure of a path that could not be looked at here.
func sourceOutcome(err error) Outcome {
	o := Outcome{ID: "E-SRC-IO", Class: ClassEntry, Message: err.Error()}
	if errors.Is(err, fs.ErrPermission) {
		o.ID, o.Hint = "E-SRC-PERM", "let the daemon's user read the path"
	}
	if errors.Is(err, syscall.ENAMETOOLONG) {
		o.ID, o.Hint = "E-SRC-NAME", "the path is longer than the system allows to name at once"
	}
	return o
}

// tellingLine picks the line of stderr that says most: rsync's first complaint,
// else the first line at all.
func tellingLine(stderr string) string {
	first, complaint := "", ""
	for line := range strings.Lines(stderr) {
		line = tidy(line)
		switch {
		case line == "" || strings.HasPrefix(line, "@@@"):
			continue
		case complaint == "" && (strings.HasPrefix(line, "rsync: ") || strings.HasPrefix(line, "ssh: ") || strings.Contains(line, "ERROR:")):
			complaint = line
		case first == "":
			first = line
		}
	}
	if complaint != "" {
		return complaint
	}
	return first
}

// tidy cuts what only a developer of rsync wants to know, and the middle of
// long paths: the reason stands behind them.
func tidy(line string) string {
	line = strings.TrimSpace(line)
	if i := strings.LastIndex(line, ") at "); i >= 0 && strings.Contains(line[i:], ".c(") {
		line = line[:i+1]
	}
	const most, end = 400, 150
	if len(line) > most {
		from, to := most-end, len(line)-end
		for from > 0 && !utf8.RuneStart(line[from]) {
			from--
		}
		for to < len(line) && !utf8.RuneStart(line[to]) {
			to++
		}
		line = line[:from] + "…" + line[to:]
	}
	return line
}

// reasonFor finds what rsync said about one path: a line with its last element
// as a name of its own or of rsync's temporary file (.NAME.XXXXXX).
func reasonFor(path, stderr string, fallback Outcome) Outcome {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if base == "" {
		return fallback
	}
	for line := range strings.Lines(stderr) {
		if _, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok && strings.HasPrefix(line, inTheWayText) &&
			strings.TrimPrefix(unescape(name), "./") == path {
			return entryOutcome(Outcome{}, tidy(line))
		}
		if !strings.HasPrefix(line, "rsync: ") {
			continue
		}
		for _, mark := range []string{"/" + base + "\"", "\"" + base + "\"", "/." + base + ".", "(" + base + ")", "/" + base + ")"} {
			if strings.Contains(line, mark) {
				return entryOutcome(Outcome{ID: fallback.ID}, tidy(line))
			}
		}
	}
	return fallback
}
