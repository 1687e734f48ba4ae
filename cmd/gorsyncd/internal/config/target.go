package config

import (
	"path"
	"strings"

	"gorsyncd/replicate"
)

// parseTarget fills in r from the target's text.
func parseTarget(r *Remote, rr rawRemote, rep *reporter) {
	if hasPassword(rr.target.Text) {
		rep.add(rr.target.Pos, "target: a password must not stand in a target: put it into a file of its own and set password_file")
		return
	}
	if scheme, _, ok := strings.Cut(rr.target.Text, "://"); ok && !strings.EqualFold(scheme, "rsync") && !strings.Contains(scheme, "/") {
		rep.add(rr.target.Pos, "target: %q: the only scheme is rsync://", rr.target.Text)
		return
	}
	t, err := replicate.ParseTarget(rr.target.Text)
	if err != nil {
		rep.add(rr.target.Pos, "target: %s", strings.TrimPrefix(err.Error(), replicate.ErrTarget.Error()+": "))
		return
	}
	r.Target = t
	fitSettings(r, rr.settings, rep)
	if r.Name != "" {
		return
	}
	r.Name, r.origins["name"] = defaultName(t), defaultPos
	if r.Name == "" {
		rep.add(rr.target.Pos, "no name can be made from %q: write {name: …, target: …}", rr.target.Text)
	}
}

// defaultName is the host, or the last element of a local target.
func defaultName(t replicate.Target) string {
	if t.Kind == replicate.Local {
		return SafeName(path.Base(t.Path))
	}
	return SafeName(t.Host)
}

// hasPassword finds user:password@host, with or without a scheme, so that it
// can be refused before anything repeats it. Of a text that is no target at all
// it rather takes too much for one.
func hasPassword(s string) bool {
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	}
	at, colon := strings.LastIndexByte(s, '@'), strings.IndexByte(s, ':')
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, "[") || colon < 0 || at < colon ||
		strings.HasPrefix(s[colon:], "::") || strings.HasPrefix(s[colon:], ":/") {
		return false // an @ further on belongs to a path
	}
	if user := strings.IndexByte(s, '@'); user >= 0 && user < colon {
		return false
	}
	port, _, _ := strings.Cut(s[colon+1:], "/")
	return port == "" || strings.Trim(port, "0123456789") != ""
}

// fitSettings drops inherited settings that the target cannot use and refuses
// those written on the remote itself.
func fitSettings(r *Remote, own level, rep *reporter) {
	refuse := func(prefix, why string) {
		for _, f := range fields {
			if st, ok := own[f.path]; ok && (f.path == prefix || strings.HasPrefix(f.path, prefix+".")) {
				rep.add(st.pos, "%s: %s", f.path, why)
			}
		}
	}
	if r.Target.Kind != replicate.Daemon {
		refuse("password_file", "only an rsync daemon (host::module, rsync://host/module) asks for a password")
		r.PasswordFile = ""
	}
	if r.Target.Kind != replicate.Shell {
		refuse("ssh", "the target is not reached by ssh (host:/path)")
		r.SSH = SSH{Options: []Item{}}
	}
}
