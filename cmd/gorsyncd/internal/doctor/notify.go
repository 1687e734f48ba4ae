package doctor

import (
	"os/exec"
	"strings"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/cmd/gorsyncd/internal/outbound"
)

// notifiers looks at the files and programs that notifiers need. Nothing is sent:
// that is what gorsyncd notify test is for.
func notifiers(c *config.Config, o Options) []Finding {
	var list []Finding
	for _, n := range c.Notify {
		list = append(list, notifier(n, o))
	}
	return list
}

func notifier(n config.Notify, o Options) Finding {
	f := Finding{Level: OK, About: "notify " + n.Name, Text: n.Kind + "; to see whether messages arrive: gorsyncd notify test " + n.Name}
	if needs := n.Credentials(); len(needs) > 0 && o.Credentials == "" {
		return unasked(f.About, needs)
	}
	n = n.Located(o.Credentials)
	for _, file := range []string{n.Webhook.URLFile, n.Webhook.SecretFile, n.Webhook.HeadersFile, n.Email.PasswordFile} {
		if file == "" {
			continue
		}
		if _, err := outbound.ReadSecret(file); err != nil {
			return Finding{Level: Fail, About: f.About, ID: "E-NOTIFY-SECRET", Text: outbound.Plainly(err), Remedy: "see: gorsyncd docs notifications"}
		}
	}
	for _, file := range []string{n.Webhook.CAFile, n.Email.CAFile} {
		if file == "" {
			continue
		}
		if _, err := outbound.Roots(file); err != nil {
			return Finding{Level: Fail, About: f.About, ID: "E-NOTIFY-SECRET", Text: outbound.Plainly(err), Remedy: "it has to hold certificates in PEM form"}
		}
	}
	if argv := config.Texts(n.Command); len(argv) > 0 {
		if _, err := exec.LookPath(argv[0]); err != nil {
			return Finding{Level: Fail, About: f.About, ID: "E-NOTIFY-EXEC", Text: strings.TrimSpace(err.Error()), Remedy: "check its path and permissions"}
		}
	}
	return f
}
