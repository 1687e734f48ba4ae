package lsyncd

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"gorsyncd/cmd/gorsyncd/internal/draft"
	"gorsyncd/replicate"
)

// conversion is one sync{} on its way.
type conversion struct {
	file  string
	line  int
	read  func(name string) (string, error)
	opts  draft.Options
	notes []draft.Note
}

// pair is a source with one remote.
type pair struct {
	name, path, target string
	draft.Settings
}

func (c *conversion) note(kind draft.Kind, format string, args ...any) {
	c.noteAt(c.line, kind, format, args...)
}

func (c *conversion) noteAt(line int, kind draft.Kind, format string, args ...any) {
	c.notes = append(c.notes, draft.Note{File: c.file, Line: line, Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// handled are the keys of sync{} that convert reads.
var handled = words(`source target host targetdir name delete exclude excludeFrom filter filterFrom rsync rsyncOps rsyncOpts ssh delay init crontab
	maxProcesses maxDelays subdirs exitcodes rsyncExitCodes sshExitCodes batchSizeLimit tunnel`)

func words(s string) []string { return strings.Fields(s) }

// convert makes a pair of one sync{}, or nil.
func (c *conversion) convert(t *lua.LTable) *pair {
	c.opts.Note = c.note
	t = inherited(t, maxInherit)
	kind := kindOf(t)
	c.functions(t)
	for _, k := range fields(t) {
		if v := t.RawGetString(k); v.Type() != lua.LTFunction && !slices.Contains(handled, k) {
			c.note(draft.Lost, "sync: %s is not carried over", k)
		}
	}
	if kind == "" {
		c.note(draft.Lost, "this sync is neither default.rsync nor default.rsyncssh nor default.direct, and is not carried over")
		return nil
	}
	p := &pair{name: text(t, "name"), path: text(t, "source"), target: c.target(t, kind)}
	if !strings.HasPrefix(p.path, "/") {
		c.note(draft.Lost, "source %q is not an absolute path", p.path)
		return nil
	}
	p.path = path.Clean(p.path)
	if p.target == "" {
		return nil
	}
	c.rules(t)
	c.transfer(t, kind)
	c.when(t)
	p.target, p.Settings = overSSH(p.target, c.opts.SSH), c.opts.Set
	return p
}

// functions are behaviour of the user's own.
func (c *conversion) functions(t *lua.LTable) {
	for _, k := range fields(t) {
		if f, ok := t.RawGetString(k).(*lua.LFunction); ok {
			line := c.line
			if f.Proto != nil {
				line = f.Proto.LineDefined
			}
			c.noteAt(line, draft.Lost, "sync: the function %s is not carried over", k)
		}
	}
}

func (c *conversion) target(t *lua.LTable, kind string) string {
	target := text(t, "target")
	if kind == "rsyncssh" {
		host, dir := text(t, "host"), text(t, "targetdir")
		if host == "" || !strings.HasPrefix(dir, "/") {
			c.note(draft.Lost, "host %q, targetdir %q: a host and an absolute path are needed", host, dir)
			return ""
		}
		target = host + ":" + dir
	}
	switch {
	case target == "":
		c.note(draft.Lost, "this sync has no target")
	case kind == "direct" && !strings.HasPrefix(target, "/"):
		c.note(draft.Lost, "target %q is not an absolute path", target)
		return ""
	}
	if len(target) > 1 {
		target = strings.TrimRight(target, "/")
	}
	return target
}

// overSSH is the target for a module of a daemon that rsync was to start by ssh.
func overSSH(target string, ssh bool) string {
	t, err := replicate.ParseTarget(target)
	if err != nil || !ssh || t.Kind != replicate.Daemon {
		return target
	}
	t.Via, t.Port = replicate.SSH, 0 // the port was that of the daemon, which there is none of
	return t.String()
}

// rules are excludes and filters; lsyncd hands both to rsync.
func (c *conversion) rules(t *lua.LTable) {
	set := &c.opts.Set
	set.Filter = append(list(t.RawGetString("filter")), c.linesOf(t, "filterFrom")...)
	set.Exclude = append(list(t.RawGetString("exclude")), c.linesOf(t, "excludeFrom")...)
	if t.RawGetString("subdirs") == lua.LFalse {
		set.Filter = append(set.Filter, "- */")
	}
}

func (c *conversion) linesOf(t *lua.LTable, key string) []string {
	name := text(t, key)
	if name == "" {
		return nil
	}
	data, err := c.read(name)
	if err != nil {
		c.note(draft.Lost, "%s: %v", key, err)
		return nil
	}
	c.note(draft.Changed, "%s: the rules in %s stand in the configuration itself", key, name)
	return lines(data)
}

// transfer is how rsync is called.
func (c *conversion) transfer(t *lua.LTable, kind string) {
	if kind == "direct" {
		// lsyncd copies with cp -p and compares with rsync -lts.
		c.opts.Add([]string{"-lptgoD"})
	} else if old := append(list(t.RawGetString("rsyncOps")), list(t.RawGetString("rsyncOpts"))...); len(old) > 0 {
		c.opts.Add(old) // lsyncd 2.0
	} else {
		c.rsync(sub(t, "rsync"))
	}
	c.opts.Kept()
	if kind == "rsyncssh" {
		c.ssh(sub(t, "ssh"))
	}
	if v, err := strconv.Atoi(text(t, "maxProcesses")); err == nil && v > 0 {
		c.opts.Set.Workers = min(v, 64)
	}
	switch d := t.RawGetString("delete"); {
	case d == lua.LFalse:
		c.opts.Set.Delete = "none"
	case d == lua.LNil || d == lua.LTrue:
		c.opts.Set.Delete = "all"
	case d.String() == "running":
		c.opts.Set.Delete = "tracked"
	case d.String() == "startup":
		c.opts.Set.Delete = "all"
		c.note(draft.Changed, "delete=startup: what the source loses is removed at once, not at the next start")
	default:
		c.note(draft.Lost, "delete=%s is unknown", d)
	}
}

// rsync reads the table rsync, whose defaults are links, times and protect_args.
func (c *conversion) rsync(t *lua.LTable) {
	var argv []string
	for _, on := range []string{"links", "times"} {
		if t.RawGetString(on) == lua.LNil {
			argv = append(argv, "--"+on)
		}
	}
	for _, k := range fields(t) {
		v := t.RawGetString(k)
		option := "--" + strings.ReplaceAll(k, "_", "-")
		switch {
		case k == "_extra":
			argv = append(argv, list(v)...)
		case k == "binary":
			c.opts.Set.NeedRsync().Path = v.String()
		case k == "rsync_path":
			argv = append(argv, "--rsync-path="+v.String())
		case v == lua.LTrue:
			argv = append(argv, option)
		case v == lua.LFalse:
		case v.Type() == lua.LTString || v.Type() == lua.LTNumber:
			argv = append(argv, option+"="+v.String())
		default:
			c.note(draft.Lost, "rsync: %s is not carried over", k)
		}
	}
	c.opts.Add(argv)
}

// ssh reads the table ssh of default.rsyncssh.
func (c *conversion) ssh(t *lua.LTable) {
	argv := []string{"ssh"}
	for _, k := range fields(t) {
		v := t.RawGetString(k)
		switch {
		case k == "port":
			argv = append(argv, "-p", v.String())
		case k == "identityFile":
			argv = append(argv, "-i", v.String())
		case k == "options" && v.Type() == lua.LTTable:
			o := v.(*lua.LTable)
			for _, name := range fields(o) {
				argv = append(argv, "-o", name+"="+o.RawGetString(name).String())
			}
		case k == "_extra":
			argv = append(argv, list(v)...)
		default:
			c.note(draft.Lost, "ssh: %s is not carried over", k)
		}
	}
	c.opts.Shell(argv)
}

// when is about times and repetition.
func (c *conversion) when(t *lua.LTable) {
	if d := text(t, "delay"); d != "" && d != "0" {
		c.note(draft.Dropped, "delay=%s: a change goes at once, and what comes meanwhile goes together; to wait before, set settle", d)
	}
	if t.RawGetString("init") == lua.LFalse {
		c.note(draft.Changed, "init=false: a remote is compared once, when it is new, and not again at each start: see full_sync.on_start")
	}
	for _, k := range []string{"maxDelays", "batchSizeLimit"} {
		if t.RawGetString(k) != lua.LNil {
			c.note(draft.Dropped, "%s: see batch.files and batch.bytes", k)
		}
	}
	for _, k := range []string{"exitcodes", "rsyncExitCodes", "sshExitCodes"} {
		if t.RawGetString(k) != lua.LNil {
			c.note(draft.Dropped, "%s: what fails is tried again until it succeeds, whatever the exit status is", k)
		}
	}
	if t.RawGetString("tunnel") != lua.LNil {
		c.note(draft.Lost, "tunnel is not carried over: use a target over ssh, host:/path or rsync+ssh://host/module")
	}
	c.crontab(list(t.RawGetString("crontab")))
}

// crontab: six fields, the first of which are seconds.
func (c *conversion) crontab(lines []string) {
	for i, line := range lines {
		f := strings.Fields(line)
		switch {
		case len(f) != 6:
			c.note(draft.Lost, "crontab %q does not have six fields", line)
		case i > 0:
			c.note(draft.Lost, "crontab %q: full_sync.schedule is one expression", line)
		default:
			if f[0] != "0" {
				c.note(draft.Changed, "crontab %q: the seconds are left out", line)
			}
			c.opts.Set.FullSync = &draft.FullSync{Schedule: strings.Join(f[1:], " ")}
		}
	}
}
