package draft

import (
	"fmt"
	"strconv"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/config"
)

// Options collects what options of rsync mean, such as those that another program
// was told to add.
type Options struct {
	Set  Settings
	Port string // of the rsync daemon
	SSH  bool   // asked for with -e

	// Note is told of what has another meaning, or none.
	Note func(kind Kind, format string, args ...any)

	letters string // short options, and long ones that have a letter
}

// Add takes options as words.
func (p *Options) Add(argv []string) {
	for len(argv) > 0 {
		argv = p.option(argv[0], argv[1:])
	}
}

// sets are the options that gorsyncd sets itself, or that do nothing to a daemon.
const sets = "rRvqPhis80lptgoDaHd"

var longLetters = map[string]string{
	"--archive": "a", "--recursive": "r", "--relative": "R", "--links": "l", "--perms": "p", "--times": "t",
	"--group": "g", "--owner": "o", "--update": "u", "--compress": "z", "--hard-links": "H",
	"--verbose": "v", "--quiet": "q", "--progress": "P", "--partial": "P", "--human-readable": "h",
	"--itemize-changes": "i", "--protect-args": "s", "--secluded-args": "s", "--stats": "v", "--dirs": "d",
	"--omit-dir-times": "O",
}

// withValue are the long options with a value that may be the next word.
var withValue = map[string]bool{
	"--bwlimit": true, "--exclude": true, "--include": true, "--exclude-from": true, "--include-from": true,
	"--port": true, "--password-file": true, "--timeout": true, "--contimeout": true, "--rsh": true,
	"--chown": true, "--chmod": true, "--rsync-path": true, "--filter": true, "--log-file": true,
	"--usermap": true, "--groupmap": true, "--temp-dir": true, "--backup-dir": true, "--suffix": true,
	"--partial-dir": true, "--iconv": true, "--max-size": true, "--min-size": true, "--sockopts": true,
	"--compress-level": true, "--link-dest": true, "--compare-dest": true, "--copy-dest": true, "--block-size": true,
}

// option takes one option, and its value, off the words.
func (p *Options) option(word string, rest []string) []string {
	switch {
	case strings.HasPrefix(word, "--"):
		name, value, has := strings.Cut(word, "=")
		if withValue[name] && !has && len(rest) > 0 {
			value, rest = rest[0], rest[1:]
		}
		p.long(name, value)
	case strings.HasPrefix(word, "-") && len(word) > 1:
		return p.cluster(word[1:], rest)
	default:
		p.lost(word, "it is not an option")
	}
	return rest
}

// cluster takes letters such as -artuz; e, B, T and f have a value.
func (p *Options) cluster(letters string, rest []string) []string {
	for i, l := range letters {
		if !strings.ContainsRune("eBTfM", l) {
			p.short(l)
			continue
		}
		value := letters[i+1:]
		if value == "" && len(rest) > 0 {
			value, rest = rest[0], rest[1:]
		}
		if l == 'e' {
			p.long("--rsh", value)
		} else {
			p.pass("-" + string(l) + value)
		}
		return rest
	}
	return rest
}

func (p *Options) short(l rune) {
	p.letters += string(l)
	switch {
	case strings.ContainsRune(sets, l):
	case l == 'z':
		p.Set.NeedRsync().Compress = true
	case l == 'u':
		p.Note(Changed, "-u is left out: with it a file that is newer on the remote, for instance because of its clock, was never replaced, and nobody was told")
	case l == 'O':
		p.Note(Changed, "-O is left out: the times of directories are kept, too")
	default:
		p.pass("-" + string(l))
	}
}

func (p *Options) long(name, value string) {
	set := &p.Set
	switch name {
	case "--bwlimit":
		if n, ok := bytesPerSecond(value); ok {
			set.BWLimit = n
			return
		}
		p.lost("--bwlimit="+value, "it is not a rate")
	case "--exclude":
		set.Filter = append(set.Filter, "- "+value)
	case "--include":
		set.Filter = append(set.Filter, "+ "+value)
	case "--exclude-from", "--include-from", "--filter":
		p.lost(name+"="+value, "write its rules under filter, in the same order")
	case "--port":
		p.Port = value
	case "--password-file":
		set.PasswordFile = value
	case "--timeout":
		p.Timeout(value)
	case "--contimeout":
		p.lost(name+"="+value, "set rsync.connect_timeout")
	case "--rsh":
		p.shell(value)
	case "--rsync-path":
		p.pass(name + "=" + value)
	case "--delete", "--delete-before", "--delete-during", "--delete-after", "--delete-delay", "--del", "--force":
		p.Note(Changed, "%s: what the source loses is removed, see delete", name)
	default:
		if l := longLetters[name]; l != "" {
			p.short(rune(l[0]))
			return
		}
		if value != "" {
			name += "=" + value
		}
		p.pass(name)
	}
}

// pass hands an option on to rsync, if gorsyncd can live with it.
func (p *Options) pass(arg string) {
	if err := config.CheckRsyncArg(arg); err != nil {
		p.lost(arg, err.Error())
		return
	}
	r := p.Set.NeedRsync()
	r.Args = append(r.Args, arg)
}

func (p *Options) lost(what, why string) {
	p.Note(Lost, "%s: %s", what, why)
}

// shell reads what -e names: ssh, with a port, a key and options.
func (p *Options) shell(command string) {
	argv, err := ShellWords(command)
	if err != nil || len(argv) == 0 || argv[0] != "ssh" && !strings.HasSuffix(argv[0], "/ssh") {
		// Not the whole command: sshpass is given passwords.
		program, _, _ := strings.Cut(strings.TrimSpace(command), " ")
		p.lost("-e "+program, "only ssh can be used")
		return
	}
	p.Shell(argv)
}

// Shell takes a command that begins with ssh.
func (p *Options) Shell(argv []string) {
	command := strings.Join(argv, " ")
	p.SSH = true
	for argv = argv[1:]; len(argv) > 0; {
		name, value := argv[0], ""
		if argv = argv[1:]; len(name) > 2 {
			name, value = name[:2], name[2:]
		} else if len(argv) > 0 && strings.Contains("-p-i-o-F-l-J", name) {
			value, argv = argv[0], argv[1:]
		}
		if !p.sshOption(name, value) {
			p.lost("-e "+command, "of ssh only -p, -i, -o, -F, -l and -J can be taken over, and "+name+" is none of them")
			return
		}
	}
}

func (p *Options) sshOption(name, value string) bool {
	if name == "-o" && !strings.Contains(value, "=") {
		value = strings.Replace(value, " ", "=", 1)
	}
	port, err := strconv.Atoi(value)
	switch {
	case name == "-p" && err == nil:
		p.Set.NeedSSH().Port = port
	case name == "-i":
		p.Set.NeedSSH().IdentityFile = value
	case name == "-l" && value != "":
		return p.sshOption("-o", "User="+value)
	case name == "-J" && value != "":
		return p.sshOption("-o", "ProxyJump="+value)
	case name == "-F":
		p.Set.NeedSSH().ConfigFile = value
	case name == "-o" && strings.EqualFold(value, "StrictHostKeyChecking=no"):
		p.Note(Changed, "StrictHostKeyChecking=no is left out: make the key of the host known with ssh-keyscan, and name the file in ssh.known_hosts")
	case name == "-o" && (strings.EqualFold(value, "UserKnownHostsFile=/dev/null") || strings.EqualFold(value, "GlobalKnownHostsFile=/dev/null")):
		p.Note(Changed, "%s is left out: keys of hosts are always checked", value)
	case name == "-o":
		ssh := p.Set.NeedSSH()
		ssh.Options = append(ssh.Options, value)
	case name == "-q" || name == "-T" || name == "-x" || name == "-4" || name == "-6" || name == "-C":
		// quiet, without a terminal and X11: nothing changes for rsync; C is compression of ssh's own
	default:
		return false
	}
	return true
}

// Timeout takes seconds.
func (p *Options) Timeout(text string) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	switch {
	case err != nil || n < 0 || n > 86400:
		p.Note(Lost, "timeout %q is not a number of seconds up to 86400", text)
	case n == 0:
		p.Note(Changed, "a timeout of 0, none at all, becomes the default of 60 s without any data: a dead connection would be waited for for ever")
	default:
		p.Set.NeedRsync().Timeout = fmt.Sprintf("%ds", n)
	}
}

// Kept is called after all options. It says what was not sent without them and is
// by gorsyncd, and keeps it from being set where rsync can be told to.
func (p *Options) Kept() {
	has := func(l string) bool { return strings.Contains(p.letters, l) || strings.Contains(p.letters, "a") }
	for _, o := range []struct{ letter, arg string }{{"p", "--no-perms"}, {"o", "--no-owner"}, {"g", "--no-group"}} {
		if !has(o.letter) {
			p.pass(o.arg)
		}
	}
	var always []string
	for _, o := range []struct{ letter, what string }{{"l", "symbolic links"}, {"t", "modification times"}, {"D", "device files and fifos"}} {
		if !has(o.letter) {
			always = append(always, o.what)
		}
	}
	if len(always) > 0 {
		p.Note(Changed, "the options do not ask for %s, and gorsyncd always keeps them", strings.Join(always, ", "))
	}
}

// bytesPerSecond turns a value of --bwlimit into one of bwlimit: rsync counts in
// KiB unless told otherwise, rsync(1).
func bytesPerSecond(v string) (string, bool) {
	number, unit := v, "K"
	if n := len(v); n > 0 && strings.ContainsRune("kKmMgG", rune(v[n-1])) {
		number, unit = v[:n-1], strings.ToUpper(v[n-1:])
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f < 0 {
		return "", false
	}
	shift := map[string]float64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
	bytes := int64(f * shift[unit])
	switch {
	case bytes == 0:
		return "", true
	case bytes%(1<<20) == 0:
		return fmt.Sprintf("%dM", bytes>>20), true
	case bytes%(1<<10) == 0:
		return fmt.Sprintf("%dK", bytes>>10), true
	}
	return strconv.FormatInt(bytes, 10), true
}
