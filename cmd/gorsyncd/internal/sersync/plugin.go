package sersync

import (
	"errors"
	"net"
	"path"
	"regexp/syntax"
	"slices"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/draft"
)

// plugins turns the plugin that is switched on, or that alone was asked for, into a
// sink. sersync ran one plugin, after the rsync of each event whatever that came to.
func (c *conversion) plugins(on *element) {
	name := c.only
	if name == "" && on.on(false) {
		name = on.attr("name", "command")
	}
	if name == "" {
		return
	}
	section := c.head.first(func(e *element) bool { return strings.EqualFold(e.name, "plugin") && e.attr("name", "") == name })
	sinkOf := map[string]func(*element) (*draft.Sink, bool){
		"command": c.commandPlugin, "socket": c.socketPlugin, "refreshCDN": c.cdnPlugin, "http": c.httpPlugin,
	}[name]
	switch {
	case sinkOf == nil:
		c.note(on, draft.Lost, "plugin %q: sersync had command, socket and refreshCDN", name)
		return
	case section == nil:
		c.note(on, draft.Lost, "plugin %q: the file has no section <plugin name=\"%s\">", name, name)
		return
	}
	k, ok := sinkOf(section)
	if !ok {
		return
	}
	c.note(section, draft.Changed, "plugin %s: events are kept until they are delivered, in batches where the receiver takes them, and tried again; sersync forgot what failed. It is told of files, not of directories: set directories: true for these, too", name)
	c.attach(section, k)
	if c.only != "" {
		c.sources = slices.DeleteFunc(c.sources, func(s *draft.Source) bool { return len(s.Sinks) == 0 })
	}
}

// attach gives the sink to the sources whose events the plugin was told of: those of its
// own localpath, which took the place of the first one's in sersync, or all.
func (c *conversion) attach(section *element, k *draft.Sink) {
	watch := section.child("localpath").attr("watch", "")
	if watch == "" {
		for _, s := range c.sources {
			c.addTo(s, k)
		}
		return
	}
	watch = path.Clean(watch)
	for _, s := range c.sources {
		if s.Path == watch {
			c.addTo(s, k)
			return
		}
	}
	if !strings.HasPrefix(watch, "/") {
		c.note(section, draft.Lost, "plugin localpath watch=%q is not an absolute path", watch)
		return
	}
	c.note(section, draft.Changed, "the plugin watches %s, which is no localpath: a source without remotes", watch)
	s := &draft.Source{Path: watch}
	c.addTo(s, k)
	c.sources = append(c.sources, s)
}

func (c *conversion) addTo(s *draft.Source, k *draft.Sink) {
	own := *k
	if len(s.Remotes) > 0 {
		own.When = "acked" // as after its rsync
	}
	s.Sinks = append(s.Sinks, &own)
}

// shells are programs that run the file they are given.
var shells = []string{"sh", "bash", "dash", "zsh", "ksh", "ash"}

func (c *conversion) commandPlugin(e *element) (*draft.Sink, bool) {
	p := e.child("param")
	argv, err := draft.ShellWords(p.attr("prefix", "/bin/sh"))
	after, err2 := draft.ShellWords(p.attr("suffix", ""))
	if err = errors.Join(err, err2); err != nil || len(argv) == 0 {
		c.note(orElse(p, e), draft.Lost, "plugin command prefix=%q suffix=%q: %v", p.attr("prefix", ""), p.attr("suffix", ""), orNoProgram(err))
		return nil, false
	}
	program := path.Base(argv[0])
	k := &draft.Sink{Name: "command", Command: slices.Concat(argv, []string{"{path}"}, after)}
	if slices.Contains(shells, program) && len(argv) == 1 {
		k.Ops = []string{"change"}
		c.note(orElse(p, e), draft.Changed, "plugin command: every file that changes is run as a program by %s, as sersync did; whoever can write into the source can run what they like. Give a program of yours instead", argv[0])
	}
	c.note(orElse(p, e), draft.Changed, "plugin command: its exit status counts: 0 is done, 75 means later, others are tried again and shown; ignoreError is not needed, its output goes nowhere but into what is shown of a failure")
	if f := e.child("filter"); f.on(false) {
		if k.Match = c.includes(f); k.Match == nil {
			return nil, false
		}
	}
	return k, true
}

func orNoProgram(err error) error {
	if err == nil {
		return errors.New("no program")
	}
	return err
}

// includes makes a match of what a plugin's filter lets through.
func (c *conversion) includes(f *element) []string {
	match := []string{"+ */"}
	for _, x := range f.all("include") {
		expr := x.attr("expression", "")
		if expr == "" {
			continue
		}
		p, err := includeOf(expr)
		if err != nil {
			c.note(x, draft.Lost, "include expression \"%s\": %v. Write what it lets through as a pattern of rsync under match", expr, err)
			return nil
		}
		match = append(match, p...)
	}
	return append(match, "- *")
}

// includeOf makes rules of an expression that was compared with whole absolute paths:
// one that says how they end.
func includeOf(expr string) ([]string, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	all, err := expand(re)
	if err != nil {
		return nil, err
	}
	var rules []string
	for _, tokens := range all {
		tokens = trimEdges(tokens)
		if len(tokens) < 2 || tokens[0].kind != star {
			return nil, errNotGlob
		}
		tail := tokens[1:]
		if slices.ContainsFunc(tail, func(t token) bool { return t.kind != glob }) {
			return nil, errNotGlob
		}
		rules = append(rules, "+ *"+text(tail))
	}
	return rules, nil
}

// within is the element that has a plugin's receiver: its localpath.
func within(e *element) *element { return orElse(e.child("localpath"), e) }

func (c *conversion) socketPlugin(e *element) (*draft.Sink, bool) {
	d := within(e).child("deshost")
	host, port := d.attr("ip", ""), d.attr("port", "8009")
	if host == "" {
		c.note(orElse(d, e), draft.Lost, "plugin socket has no deshost ip")
		return nil, false
	}
	return &draft.Sink{Name: "socket", TCP: net.JoinHostPort(host, port), Format: "sersync"}, true
}

func (c *conversion) httpPlugin(e *element) (*draft.Sink, bool) {
	d := within(e).child("deshost")
	u := d.attr("url", "")
	if u == "" {
		c.note(orElse(d, e), draft.Lost, "plugin http has no deshost url")
		return nil, false
	}
	if !strings.Contains(u, "://") {
		u = "http://" + u
	}
	if port := d.attr("port", "80"); port != "80" {
		c.note(d, draft.Changed, "plugin http port=%q: sersync ignored it; put it into the address if it is meant", port)
	}
	return &draft.Sink{Name: "http", HTTP: u, Format: "sersync"}, true
}

// cdnPassword is where the password of a CDN is to be written.
const cdnPassword = "/etc/gorsyncd/cdn.pass"

func (c *conversion) cdnPlugin(e *element) (*draft.Sink, bool) {
	at := within(e)
	info, base := at.child("cdninfo"), at.child("sendurl").attr("base", "")
	if base == "" {
		c.note(e, draft.Lost, "plugin refreshCDN has no sendurl base")
		return nil, false
	}
	if r := at.child("regexurl"); r.attr("regex", "false") == "true" {
		c.note(r, draft.Lost, "regexurl match=%q: addresses are the one of the source's root and the path below it; give a sink to each tree that has another address", r.attr("match", ""))
		return nil, false
	}
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	host := info.attr("domainname", "ccms.chinacache.com")
	if port := info.attr("port", "80"); port != "80" {
		host = net.JoinHostPort(host, port)
	}
	c.note(orElse(info, e), draft.Lost, "plugin refreshCDN: a password does not stand in a configuration: write it into %s (chmod 600)", cdnPassword)
	return &draft.Sink{Name: "refreshcdn", CDN: &draft.CDN{
		Site: base, Preset: "sersync", URL: "http://" + host + "/index.jsp?user={user}&pswd={password}&ok=ok&{kind}={urls_query}",
		User: info.attr("username", ""), PasswordFile: cdnPassword,
	}}, true
}
