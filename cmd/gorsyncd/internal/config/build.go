package config

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gorsyncd/watch"
)

// build resolves r. Errors go to rep; the Config is complete only if there
// are none.
func build(r *raw, o Options, rep *reporter) *Config {
	c := &Config{File: r.file, origins: map[string]Pos{}}
	if r.file == argsFile {
		c.File = ""
	}
	c.StateDir = c.path("state_dir", r.stateDir, o.StateDir, o.DefaultStateDir)
	c.Socket = c.socket(r, o)
	c.Journal.Retain = top(c, "journal.retain", r.journal.retain, 24*time.Hour)
	c.Journal.MaxSize = top(c, "journal.max_size", r.journal.maxSize, Size(2)<<30)
	c.Journal.Verify = top(c, "journal.verify", r.journal.verify, 10*time.Minute)
	c.Journal.Ballast = top(c, "journal.ballast", r.journal.ballast, Size(64)<<20)
	c.Log.Level = override(c, "log.level", o.LogLevel, top(c, "log.level", r.log.level, "info"))
	c.Log.Format = override(c, "log.format", o.LogFormat, top(c, "log.format", r.log.format, "auto"))
	c.Log.File = override(c, "log.file", o.LogFile, top(c, "log.file", r.log.file, ""))
	for _, rs := range r.sources {
		c.Sources = append(c.Sources, buildSource(rs, r.defaults, rep))
	}
	if len(c.Sources) == 0 && len(rep.list) == 0 {
		rep.add(r.root, "there are no sources: nothing to replicate")
	}
	checkNames(c, rep)
	checkPaths(c, o, rep)
	for _, rn := range r.notify {
		c.Notify = append(c.Notify, buildNotify(rn, rep))
	}
	checkNotifiers(c, rep)
	return c
}

// path picks a flag or environment value, the file's, or the default.
func (c *Config) path(key string, written Item, flag, def string) string {
	switch {
	case flag != "":
		c.origins[key] = Pos{File: "command line or environment"}
		return filepath.Clean(flag)
	case written.Text != "":
		c.origins[key] = written.Pos
		return filepath.Clean(written.Text)
	}
	c.origins[key] = defaultPos
	return filepath.Clean(def)
}

func (c *Config) socket(r *raw, o Options) Socket {
	s := Socket{
		Path:  c.path("socket.path", r.socket.path, o.Socket, o.DefaultSocket),
		Group: r.socket.group.Text,
	}
	c.origins["socket.group"] = defaultPos
	mode := fs.FileMode(0o600)
	if s.Group != "" {
		c.origins["socket.group"] = r.socket.group.Pos
		mode = 0o660
	}
	s.Mode = top(c, "socket.mode", r.socket.mode, mode)
	return s
}

func top[T any](c *Config, key string, st setting, def T) T {
	if st.value == nil {
		c.origins[key] = defaultPos
		return def
	}
	c.origins[key] = st.pos
	return st.value.(T)
}

func override(c *Config, key, flag, value string) string {
	if flag == "" {
		return value
	}
	c.origins[key] = Pos{File: "command line or environment"}
	return flag
}

func fileMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32)
	if err != nil || n > 0o777 {
		return 0, fmt.Errorf("%q is not an octal mode such as 0660", s)
	}
	if n&0o600 != 0o600 {
		return 0, fmt.Errorf("%q would lock out the daemon's own user", s)
	}
	return fs.FileMode(n), nil
}

func buildSource(rs rawSource, defaults level, rep *reporter) Source {
	s := Source{Name: rs.name.Text, Path: filepath.Clean(rs.path.Text), Pos: rs.pos}
	if rs.path.Text == "" {
		s.Path = ""
		if !rs.broken {
			rep.add(rs.pos, "a source needs a path")
		}
	}
	if len(rs.remotes)+len(rs.sinks) == 0 && !rs.broken {
		rep.add(rs.pos, "the source has no remotes")
	}
	s.settings, s.origins = resolve(rs.settings, defaults)
	s.Settle, s.SettleMax, s.Backend = s.settings.Settle, s.settings.SettleMax, s.settings.Watch.Backend
	s.Attributes = s.settings.Attributes
	s.Guard = Guard{EmptySource: s.settings.Guard.EmptySource, SameFilesystem: s.settings.Guard.SameFilesystem}
	s.origins["name"], s.origins["path"] = rs.name.Pos, rs.path.Pos
	checkSettings(s.settings, s.origins, rep)
	own := rules(s.settings)
	s.Filter = parseRules(own, rs.pos, rep)
	if s.Name == "" && s.Path != "" {
		s.Name = SafeName(filepath.Base(s.Path))
		s.origins["name"] = defaultPos
		if s.Name == "" {
			rep.add(rs.path.Pos, "no name can be made from %q: add name:", rs.path.Text)
		}
	}
	for _, rr := range rs.remotes {
		s.Remotes = append(s.Remotes, buildRemote(rr, rs.settings, defaults, own, rep))
	}
	for _, rk := range rs.sinks {
		s.Sinks = append(s.Sinks, buildSink(rk, rep))
	}
	return s
}

func buildRemote(rr rawRemote, source, defaults level, watched []watch.Rule, rep *reporter) Remote {
	r := Remote{Name: rr.name.Text, Pos: rr.pos}
	for _, f := range fields {
		if st, ok := rr.settings[f.path]; ok && f.sourceOnly {
			rep.add(st.pos, "%s belongs to the source: its remotes cannot differ in it", f.path)
		}
	}
	r.Settings, r.origins = resolve(rr.settings, source, defaults)
	r.origins["name"], r.origins["target"] = rr.name.Pos, rr.target.Pos
	checkSettings(r.Settings, r.origins, rep)
	r.Filter = parseRules(append(remoteRules(rep, rr.settings), watched...), rr.pos, rep)
	if rr.target.Text == "" {
		if !rr.broken {
			rep.add(rr.pos, "a remote needs a target")
		}
		return r
	}
	parseTarget(&r, rr, rep)
	return r
}

// parseRules cannot fail on rules that were accepted one by one, unless the
// filter language grows a rule about their combination.
func parseRules(rs []watch.Rule, pos Pos, rep *reporter) *watch.Filter {
	f, err := watch.ParseFilter(rs)
	if err != nil {
		rep.add(pos, "filter: %v", ruleError(err))
	}
	return f
}

// checkSettings reports combinations that cannot work.
func checkSettings(s Settings, from map[string]Pos, rep *reporter) {
	if s.SettleMax < s.Settle {
		rep.add(nearer(from, "settle_max", "settle"), "settle_max (%s) is below settle (%s)", formatDuration(s.SettleMax), formatDuration(s.Settle))
	}
	if s.Retry.Max < s.Retry.Initial {
		rep.add(nearer(from, "retry.max", "retry.initial"), "retry.max (%s) is below retry.initial (%s)", formatDuration(s.Retry.Max), formatDuration(s.Retry.Initial))
	}
}

// nearer is the place of the first key that was written somewhere.
func nearer(from map[string]Pos, keys ...string) Pos {
	for _, k := range keys {
		if from[k].Line > 0 {
			return from[k]
		}
	}
	return from[keys[0]]
}
