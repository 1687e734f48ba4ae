package config

import (
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/notify/channel"
)

// buildNotify resolves what was written of a notifier and reports what does not go
// together.
func buildNotify(r rawNamed, rep *reporter) Notify {
	n := Notify{Name: r.name.Text, Pos: r.pos}
	n.origins = notifyTable.resolve(&n.NotifySettings, r.settings)
	n.origins["name"] = r.name.Pos
	if r.broken {
		return n
	}
	var kinds []string
	for kind, there := range map[string]bool{"webhook": n.Webhook.URL != "" || n.Webhook.URLFile != "", "email": n.Email.Server != "" || len(n.Email.To) > 0, "command": len(n.Command) > 0} {
		if there {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	switch len(kinds) {
	case 0:
		rep.add(r.pos, "a notifier needs one of webhook (with url or url_file), email, command")
		return n
	case 1:
		n.Kind = kinds[0]
	default:
		rep.add(r.pos, "a notifier tells one receiver, this one has %s and %s: make two of it", kinds[0], kinds[1])
		return n
	}
	n.complete(rep)
	return n
}

// complete fills in what depends on the kind, and reports what has no meaning.
func (n *Notify) complete(rep *reporter) {
	for _, f := range notifyFields {
		head, _, grouped := strings.Cut(f.path, ".")
		if grouped && (head == "webhook" || head == "email") && head != n.Kind && n.origins[f.path].Line > 0 {
			rep.add(n.origins[f.path], "%s has no meaning beside %s", f.path, n.Kind)
		}
	}
	switch n.Kind {
	case "webhook":
		n.completeWebhook(rep)
	case "email":
		n.completeEmail(rep)
	}
	n.completeBeat(rep)
	if n.Retry.Max < n.Retry.Initial {
		rep.add(nearer(n.origins, "retry.max", "retry.initial"), "retry.max (%s) is below retry.initial (%s)", formatDuration(n.Retry.Max), formatDuration(n.Retry.Initial))
	}
	if n.Name == "" {
		n.Name = n.Kind
		if n.Heartbeat > 0 {
			n.Name = "heartbeat"
		}
	}
}

func (n *Notify) completeWebhook(rep *reporter) {
	w := &n.Webhook
	if w.URL != "" && w.URLFile != "" {
		rep.add(n.origins["webhook.url_file"], "either webhook.url or webhook.url_file")
	}
	if w.Format == "" {
		w.Format = channel.Formats()[0]
		if n.Heartbeat > 0 {
			w.Format = formatHealthchecks
		}
	}
	n.Kind = w.Format
	if w.SecretFile != "" && !channel.Signs(w.Format) {
		rep.add(n.origins["webhook.secret_file"], "webhook.secret_file: %s has no signature", w.Format)
	}
}

const formatHealthchecks = "healthchecks"

func (n *Notify) completeEmail(rep *reporter) {
	e := &n.Email
	for key, missing := range map[string]bool{"server": e.Server == "", "from": e.From == "", "to": len(e.To) == 0} {
		if missing {
			rep.add(n.Pos, "email needs %s", key)
		}
	}
	if (e.User == "") != (e.PasswordFile == "") {
		rep.add(nearer(n.origins, "email.user", "email.password_file"), "email.user and email.password_file go together")
	}
	host, port, _ := net.SplitHostPort(e.Server)
	if e.TLS == "" {
		e.TLS = channel.StartTLS
		if port == "465" {
			e.TLS = channel.ImplicitTLS
		}
	}
	if e.TLS == channel.NoTLS && !channel.Loopback(host) {
		rep.add(n.origins["email.tls"], "email.tls: none is only for a server on this machine, such as 127.0.0.1:25")
	}
}

// completeBeat keeps heartbeats and messages apart.
func (n *Notify) completeBeat(rep *reporter) {
	if n.Heartbeat == 0 {
		if n.Kind == formatHealthchecks {
			rep.add(nearer(n.origins, "webhook.format", "webhook.url"), "healthchecks takes heartbeats: set heartbeat: 1m")
		}
		if n.Fail {
			rep.add(n.origins["fail"], "fail has no meaning without heartbeat")
		}
		return
	}
	if n.Kind != formatHealthchecks && n.Kind != "command" {
		rep.add(n.origins["heartbeat"], "heartbeat is for a webhook of the format healthchecks, or a command, not for %s", n.Kind)
	}
	if n.Heartbeat < time.Second {
		rep.add(n.origins["heartbeat"], "heartbeat: %s is too often, at least 1s", formatDuration(n.Heartbeat))
	}
	for _, key := range []string{"on", "after", "repeat", "grace"} {
		if n.origins[key].Line > 0 {
			rep.add(n.origins[key], "%s has no meaning beside heartbeat", key)
		}
	}
}

// checkNotifiers reports names that are not usable or not unique, and patterns that
// mean no remote: with a misspelt one nothing would ever be told.
func checkNotifiers(c *Config, rep *reporter) {
	seen := map[string]Notify{}
	all := slices.Concat(c.RemoteNames(), c.SinkNames())
	for _, n := range c.Notify {
		pos := placeOf(n.origins["name"], n.Pos)
		if n.Name != "" {
			if err := checkName(n.Name); err != nil {
				rep.add(pos, "name: %v", err)
			} else if first, again := seen[n.Name]; again {
				rep.add(pos, "the name %q is taken by the notifier in line %d: set name: to another one", n.Name, first.Pos.Line)
			} else {
				seen[n.Name] = n
			}
		}
		for _, p := range n.Remotes {
			if !slices.ContainsFunc(all, func(name string) bool { return notify.Match(p.Text, name) }) {
				rep.add(p.Pos, "remotes: no remote or sink is called %q%s", p.Text, didYouMean(p.Text, parts(all)))
			}
		}
	}
}

// parts are names with their parts, which may stand alone.
func parts(all []string) []string {
	set := map[string]bool{}
	for _, full := range all {
		source, remote, _ := strings.Cut(full, "/")
		set[full], set[source], set[remote] = true, true, true
	}
	return slices.Sorted(maps.Keys(set))
}
