package sersync

import (
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/draft"
)

// conversion is one file on its way.
type conversion struct {
	file    string
	head    *element
	main    *element // with localpath, rsync and crontab in it
	opts    draft.Options
	user    string // before the host
	shell   bool   // ssh is on: targets are directories, not modules
	only    string // the plugin that runs alone, without rsync; "" for none
	debug   bool
	sources []*draft.Source
	notes   []draft.Note
}

func (c *conversion) note(at *element, kind draft.Kind, format string, args ...any) {
	c.notes = append(c.notes, draft.Note{File: c.file, Line: at.at(), Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// notesOf has what options mean noted at an element.
func (c *conversion) notesOf(at *element) {
	c.opts.Note = func(kind draft.Kind, format string, args ...any) { c.note(at, kind, format, args...) }
}

func convert(f draft.File, only string) (*conversion, error) {
	head, err := parse(f)
	if err != nil {
		return nil, err
	}
	c := &conversion{file: f.Name, head: head, main: head.child("sersync"), only: only}
	c.notesOf(head)
	for _, line := range openComments(f.Data) {
		c.note(&element{line: line}, draft.Changed, "the comment that begins here goes on to the end of a later one: what stands between them does not count, as in sersync")
	}
	if c.main == nil && head.child("localpath") != nil {
		c.main = head
		c.note(head, draft.Changed, "there is no <sersync>, without which sersync crashed: what belongs into it is taken from <%s>", head.name)
	}
	c.general()
	c.rsync(c.main.child("rsync"))
	c.filter(head.child("filter"))
	c.inotify(head.child("inotify"))
	c.crontab(c.main.child("crontab"))
	c.localpaths(c.main.all("localpath"))
	c.plugins(c.main.child("plugin"))
	c.badBytes(head)
	return c, nil
}

// general is for what is about the program itself.
func (c *conversion) general() {
	if d := c.head.child("debug"); d.on(false) {
		c.debug = true
	}
	if e := c.head.child("fileSystem"); e.attr("xfs", "false") == "true" {
		c.note(e, draft.Dropped, "fileSystem xfs: directories are recognised on every file system")
	}
	if e := c.main.child("failLog"); e != nil {
		c.note(e, draft.Dropped, "failLog: what fails is kept in the journal and tried again until it succeeds, see gorsyncd status. The script %s is not needed any more; sersync made it writable for everybody and ran it as root", e.attr("path", "/tmp/rsync_fail_log.sh"))
	}
}

// rsync is the element rsync.
func (c *conversion) rsync(e *element) {
	auth := e.child("auth")
	if auth.on(false) {
		c.user = auth.word("users", "root")
		c.opts.Set.PasswordFile = auth.word("passwordfile", "/etc/rsync.pas")
	}
	if p := e.child("userDefinedPort"); p.on(false) {
		c.opts.Port = p.word("port", "874")
	}
	if t := e.child("timeout"); t.on(false) {
		c.notesOf(t)
		c.opts.Timeout(t.attr("time", "100"))
	}
	ssh := e.child("ssh")
	if c.shell = ssh.on(false); c.shell {
		c.opts.SSH = true
		c.user = ssh.word("user", c.user) // of sersync-plus, as the port is
		if n, err := strconv.Atoi(ssh.word("port", "")); err == nil && n > 0 && n != 22 {
			c.opts.Set.NeedSSH().Port = n
		}
	}
	c.params(orElse(e.child("commonParams"), e))
	if c.opts.Port != "" {
		if n, err := strconv.Atoi(c.opts.Port); err != nil || n < 1 || n > 65535 {
			c.note(orElse(e.child("userDefinedPort"), e), draft.Lost, "port=%q is no port", c.opts.Port)
			c.opts.Port = ""
		}
	}
	if c.opts.SSH && c.opts.Port != "" {
		c.note(orElse(e.child("userDefinedPort"), e), draft.Dropped, "userDefinedPort is the port of an rsync daemon and had no effect over ssh; for ssh set ssh.port")
		c.opts.Port = ""
	}
	if c.shell && c.opts.Set.PasswordFile != "" {
		c.note(auth, draft.Dropped, "passwordfile is for rsync daemons; over ssh rsync refused it. Use a key, see ssh.identity_file")
		c.opts.Set.PasswordFile = ""
	}
}

// params reads commonParams, which sersync pasted into a command for /bin/sh.
func (c *conversion) params(e *element) {
	text := e.attr("params", "-artz")
	argv, err := draft.ShellWords(text)
	if err != nil {
		c.note(e, draft.Lost, "commonParams params=%q: %v; its options were not taken over", text, err)
		return
	}
	c.notesOf(e)
	c.opts.Add(argv)
	c.opts.Kept()
}

// filter is the element filter.
func (c *conversion) filter(e *element) {
	if !e.on(false) {
		return
	}
	n := 0
	for _, x := range e.all("exclude") {
		expr := x.attr("expression", "")
		if expr == "" {
			continue
		}
		rules, note, err := rulesOf(expr)
		if err != nil {
			c.note(x, draft.Lost, "exclude expression \"%s\": %v. Write what it should leave out as a pattern of rsync under exclude", expr, err)
			continue
		}
		if note != "" {
			c.note(x, draft.Changed, "exclude expression \"%s\": %s", expr, note)
		}
		n++
		c.exclude(rules)
	}
	if n > 0 {
		c.note(e, draft.Changed, "filter: what is excluded is left out everywhere; sersync sent it with a directory that was new or moved in, and in its full sync")
	}
}

// filters tells whether the filter has an expression.
func (c *conversion) filters(expr string) bool {
	f := c.head.child("filter")
	return f.on(false) && slices.ContainsFunc(f.all("exclude"), func(x *element) bool { return x.attr("expression", "") == expr })
}

// exclude adds rules in their order; where there are only plain patterns they need
// no rules.
func (c *conversion) exclude(rules []string) {
	for _, r := range rules {
		if strings.HasPrefix(r, "+ ") {
			c.opts.Set.Filter = append(c.opts.Set.Filter, rules...)
			return
		}
	}
	for _, r := range rules {
		c.opts.Set.Exclude = append(c.opts.Set.Exclude, strings.TrimPrefix(r, "- "))
	}
}

// inotify is the element inotify, which chooses events.
func (c *conversion) inotify(e *element) {
	if d := e.child("delete"); !d.on(true) {
		c.opts.Set.Delete = "none"
	}
	if a := e.child("attrib"); a != nil && !a.on(false) {
		c.opts.Set.Attributes = string(config.AttributesLater)
		c.note(a, draft.Changed, "attrib=false is attributes: with_content: a mode, owner or time that changes alone is not sent, and goes along with the next change of the file or the next full sync")
	}
	if f := e.child("createFile"); f != nil && !f.on(true) {
		c.note(f, draft.Dropped, "createFile=false: a new file is replicated once, whatever number of events tells of it")
	}
	if f := e.child("createFolder"); !f.on(true) {
		c.opts.Set.EmptyDirs = new(bool)
		c.note(f, draft.Changed, "createFolder=false is empty_dirs: false: a new directory is sent with the first thing in it; sersync never saw what came into it")
	}
	if w, m := e.child("closeWrite"), e.child("modify"); !w.on(true) && !m.on(false) {
		c.note(w, draft.Changed, "closeWrite=false: what is written to files is replicated")
	}
	if m := e.child("moveTo"); !m.on(true) {
		c.note(m, draft.Changed, "moveTo=false: what is renamed or moved into the source is replicated")
	}
	if m := e.child("moveFrom"); !m.on(true) && c.opts.Set.Delete != "none" {
		c.note(m, draft.Changed, "moveFrom=false: the old name of what is renamed or moved away is removed on the remotes; with delete: none nothing is")
	}
}

// crontab is the full sync of every so many minutes.
func (c *conversion) crontab(e *element) {
	if !e.on(false) {
		return
	}
	minutes, err := strconv.Atoi(e.word("schedule", "600"))
	if err != nil || minutes <= 0 {
		minutes = 600
		c.note(e, draft.Changed, "crontab schedule=%q was read as %d minutes", e.attr("schedule", ""), minutes)
	}
	f := e.child("crontabfilter")
	excludes := f.all("exclude")
	if c.head.child("filter").on(false) && !(f.on(false) && len(excludes) > 0) {
		c.note(e, draft.Changed, "crontab: sersync switched it off beside a filter; now the full sync runs every %d minutes", minutes)
	}
	c.opts.Set.FullSync = &draft.FullSync{Schedule: fmt.Sprintf("@every %dm", minutes)}
	if f.on(false) {
		for _, x := range excludes {
			if c.filters(x.attr("expression", "")) {
				continue // left out anyway
			}
			c.note(x, draft.Changed, "crontabfilter expression \"%s\": sersync left this out of its full sync and sent it while it watched; here it is replicated. To leave it out, put the pattern under exclude", x.attr("expression", ""))
		}
	}
}

func (c *conversion) localpaths(list []*element) {
	if len(list) == 0 {
		c.note(orElse(c.main, c.head), draft.Lost, "there is no localpath: nothing to replicate")
	}
	for _, e := range list {
		watch := e.attr("watch", "/opt/tongbu")
		if !strings.HasPrefix(watch, "/") {
			c.note(e, draft.Lost, "localpath watch=%q is not an absolute path", watch)
			continue
		}
		s := &draft.Source{Path: path.Clean(watch)}
		for _, r := range e.all("remote") {
			if c.only != "" {
				break
			}
			if t, ok := c.target(r); ok {
				s.Remotes = append(s.Remotes, t)
			}
		}
		if len(s.Remotes) == 0 && c.only == "" {
			c.note(e, draft.Lost, "localpath watch=%q has no remote that could be used", watch)
			continue
		}
		c.sources = append(c.sources, s)
	}
}

// target makes the target of a remote.
func (c *conversion) target(e *element) (string, bool) {
	host, name := e.word("ip", ""), e.word("name", "")
	if host == "" || name == "" {
		c.note(e, draft.Lost, "remote ip=%q name=%q: a host and a module or directory are needed", host, name)
		return "", false
	}
	user := ""
	if c.user != "" && !strings.Contains(host, "@") {
		user = c.user + "@"
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = "[" + host + "]"
	}
	switch path := strings.HasPrefix(name, "/"); {
	case c.shell && !path:
		c.note(e, draft.Lost, "remote name=%q is not an absolute path: over ssh it would lie in the home directory of the user", name)
		return "", false
	case c.opts.SSH && path:
		return user + host + ":" + name, true
	case path:
		c.note(e, draft.Lost, "remote name=%q is a path, and without <ssh start=\"true\"/> it has to be a module of the rsync daemon", name)
		return "", false
	case c.opts.SSH: // -e ssh with a module: ssh starts a daemon
		return "rsync+ssh://" + user + host + "/" + name, true
	case c.opts.Port != "" && c.opts.Port != "873":
		return "rsync://" + user + host + ":" + c.opts.Port + "/" + name, true
	}
	return user + host + "::" + name, true
}

// badBytes finds values that YAML cannot hold.
func (c *conversion) badBytes(e *element) {
	for _, name := range slices.Sorted(maps.Keys(e.attrs)) {
		if v := e.attrs[name]; strings.Contains(v, badByte) {
			c.note(e, draft.Lost, "%s %s holds bytes that are not UTF-8, which a configuration cannot", e.name, name)
		}
	}
	for _, child := range e.children {
		c.badBytes(child)
	}
}

func orElse(e, other *element) *element {
	if e != nil {
		return e
	}
	return other
}
