package config

import (
	"path"
	"slices"
	"strings"

	"gorsyncd/replicate"
)

var schemes = []string{"rsync", "rsyncs", "rsync+ssh"}

// parseTarget fills in r from the target's text.
func parseTarget(r *Remote, rr rawRemote, rep *reporter) {
	if hasPassword(rr.target.Text) {
		rep.add(rr.target.Pos, "target: a password must not stand in a target: put it into a file of its own and set password_file")
		return
	}
	if scheme, _, ok := strings.Cut(rr.target.Text, "://"); ok && !strings.Contains(scheme, "/") && !slices.Contains(schemes, strings.ToLower(scheme)) {
		rep.add(rr.target.Pos, "target: %q: the only schemes are rsync://, rsyncs:// (TLS) and rsync+ssh://", rr.target.Text)
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
		refuse("password_file", "only an rsync daemon (host::module, rsync://, rsyncs://, rsync+ssh://) asks for a password")
		r.PasswordFile = ""
	}
	if !r.Target.OverSSH() {
		refuse("ssh", "the target is not reached by ssh (host:/path, rsync+ssh://host/module)")
		r.SSH = SSH{Options: []Item{}}
	}
	if r.Target.Kind != replicate.Shell {
		if st, ok := own["ssh.rrsync"]; ok && r.Target.OverSSH() {
			rep.add(st.pos, "ssh.rrsync: only for host:/path: a daemon has its modules to restrict it")
		}
		r.SSH.RRsync = false
	}
	if r.Target.OverSSH() && r.Target.Port != 0 {
		if st, ok := own["ssh.port"]; ok && st.value != r.Target.Port {
			rep.add(st.pos, "ssh.port: the target names another port, %d", r.Target.Port)
		}
		r.SSH.Port = 0
	}
	if r.Target.Via != replicate.TLS {
		refuse("tls", "the target is not reached by TLS (rsyncs://host/module)")
		r.TLS = TLS{}
	} else if (r.TLS.CertFile == "") != (r.TLS.KeyFile == "") {
		rep.add(nearer(r.origins, "tls.cert_file", "tls.key_file"), "tls.cert_file and tls.key_file belong together")
	}
}
