package config

import (
	"errors"
	"fmt"
	"strings"
)

// refusedArgs are rsync options that gorsyncd sets itself, or under which a
// remote would stay different without anyone being told, with the reason.
var refusedArgs = map[string]string{
	"-r": owned, "--recursive": owned, "-R": owned, "--relative": owned, "--no-relative": owned,
	"-d": owned, "--dirs": owned, "--old-dirs": owned, "--no-dirs": owned,
	"--implied-dirs": owned, "--no-implied-dirs": owned, "--force": owned,
	"--files-from": owned, "-0": owned, "--from0": owned,
	"-n": owned, "--dry-run": owned, "--list-only": owned,
	"-i": owned, "--itemize-changes": owned, "--out-format": owned, "--log-format": owned,
	"-v": owned, "--verbose": owned, "-q": owned, "--quiet": owned,
	"-8": owned, "--8-bit-output": owned, "-h": owned, "--human-readable": owned,
	"-P": owned, "--progress": owned, "--partial": owned, "--partial-dir": owned,
	"--info": owned, "--debug": owned, "--stats": owned,
	"-s": owned, "--protect-args": owned, "--secluded-args": owned, "--old-args": owned,
	"--modify-window": owned, "-@": owned, "--ignore-times": owned, "-I": owned,
	"--daemon": owned, "--server": owned, "--sender": owned, "--config": owned, "--detach": owned,
	"--remove-source-files": owned, "--remove-sent-files": owned,
	"--stderr": owned, "--msgs2stderr": owned, "--version": nothing, "-V": nothing, "--help": nothing,
	"--read-batch": owned, "--write-batch": owned, "--only-write-batch": owned,

	"--delete": useDelete, "--del": useDelete, "--max-delete": useGuard,
	"--ignore-missing-args": useDelete, "--delete-missing-args": useDelete, "--ignore-errors": useDelete,
	"--exclude": useFilter, "--include": useFilter, "--exclude-from": useFilter, "--include-from": useFilter,
	"-f": useFilter, "--filter": useFilter, "-F": useFilter, "-C": useFilter, "--cvs-exclude": useFilter,
	"-e": useSSH, "--rsh": useSSH, "--port": "write the port into the target, rsync://host:port/module",
	"--password-file": "set password_file", "--timeout": "set rsync.timeout", "--contimeout": "set rsync.connect_timeout",
	"--fsync": "set fsync", "--bwlimit": "set bwlimit", "-z": "set rsync.compress", "--compress": "set rsync.compress",

	"-u": differs, "--update": differs, "--existing": differs, "--ignore-non-existing": differs,
	"--ignore-existing": differs, "--size-only": differs, "--max-size": differs, "--min-size": differs,
	"-m": differs, "--prune-empty-dirs": differs, "--compare-dest": differs, "--no-links": differs, "--no-l": differs,
	"--append": differs, "--append-verify": differs, "--stop-after": differs, "--stop-at": differs, "--time-limit": differs,
	"-O": differs, "--omit-dir-times": differs, "--no-times": differs, "--no-t": differs,
	"--insecure-links": "rsync could be led out of the source", "--confine-root": owned,
	"-L": follows, "--copy-links": follows, "-k": follows, "--copy-dirlinks": follows, "--copy-unsafe-links": follows,
}

const (
	owned     = "gorsyncd sets it itself"
	useDelete = "set delete: none, tracked or all"
	useGuard  = "set guard.max_delete"
	useFilter = "set filter or exclude"
	useSSH    = "set ssh"
	differs   = "under it a remote could stay different for ever"
	nothing   = "rsync would do nothing and call it a success"
	follows   = "what a link points to is not watched"
)

// shortWithValue are the one-letter options whose value may follow in the
// same word, which ends a cluster of letters.
const shortWithValue = "BTefM@"

// longWithValue are the long options that would swallow the next argument,
// which is gorsyncd's own.
var longWithValue = words(`--chown --chmod --usermap --groupmap --temp-dir --suffix --backup-dir
	--compare-dest --copy-dest --link-dest --compress-level --zl --compress-choice --zc
	--checksum-choice --cc --skip-compress --block-size --rsync-path --address --sockopts
	--iconv --checksum-seed --outbuf --early-input --copy-as --max-alloc --protocol
	--log-file --log-file-format --remote-option`)

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// CheckRsyncArg accepts one word of rsync.args.
func CheckRsyncArg(arg string) error {
	switch {
	case arg == "":
		return errors.New("an empty argument would be taken as a path")
	case arg == "-" || arg == "--":
		return fmt.Errorf("%q is not an option", arg)
	case !strings.HasPrefix(arg, "-"):
		return fmt.Errorf("%q is not an option: write an option and its value as one word, --option=value", arg)
	case strings.HasPrefix(arg, "--"):
		return checkLong(arg)
	}
	for i, c := range arg[1:] {
		if err := refused("-"+string(c), arg); err != nil {
			return err
		}
		if strings.ContainsRune(shortWithValue, c) {
			value := arg[i+2:]
			if value == "" {
				return fmt.Errorf("%q lacks its value: write both as one word", arg)
			}
			if c == 'M' {
				return CheckRsyncArg(value)
			}
			return nil
		}
	}
	return nil
}

// checkLong also refuses the whole --delete family and the negations of what
// gorsyncd owns, --no-from0 or --no-R.
func checkLong(arg string) error {
	name, value, _ := strings.Cut(arg, "=")
	if name == "--remote-option" && value != "" {
		return CheckRsyncArg(value)
	}
	positive := name
	if rest, ok := strings.CutPrefix(name, "--no-"); ok {
		positive = "--" + rest
		if len(rest) == 1 {
			positive = "-" + rest
		}
	}
	if strings.HasPrefix(positive, "--delete") {
		return fmt.Errorf("%q is not allowed here: %s", arg, useDelete)
	}
	if err := refused(name, arg); err != nil {
		return err
	}
	if longWithValue[name] && name == arg {
		return fmt.Errorf("%q lacks its value: write both as one word, %s=value", arg, arg)
	}
	return refused(positive, arg)
}

func refused(name, arg string) error {
	if why := refusedArgs[name]; why != "" {
		return fmt.Errorf("%q is not allowed here: %s", arg, why)
	}
	return nil
}

// checkSSHOption accepts one -o word: Name=value.
func checkSSHOption(opt string) error {
	name, value, ok := strings.Cut(opt, "=")
	if !ok || name == "" || value == "" || strings.Trim(name, letters) != "" {
		return fmt.Errorf("%q is not an ssh option: write Name=value", opt)
	}
	if strings.ContainsAny(value, "\n\r") {
		return fmt.Errorf("the value of %s holds a line break", name)
	}
	if strings.EqualFold(name, "StrictHostKeyChecking") && (strings.EqualFold(value, "no") || strings.EqualFold(value, "off")) {
		return errors.New("StrictHostKeyChecking must stay on: add the host's key with ssh-keyscan and set ssh.known_hosts")
	}
	if strings.EqualFold(name, "BatchMode") {
		return errors.New("BatchMode is always on: nobody could answer a prompt")
	}
	return nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
