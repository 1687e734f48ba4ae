package config

import (
	"errors"
	"fmt"
	"net/mail"
	"path"
	"slices"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/notify/channel"
)

func notifyLeaf[T any](path, def string, parse parseFunc[T], at func(*NotifySettings) *T) fieldOf[NotifySettings] {
	return fieldAt(path, "notify."+path, def, parse, at)
}

// notifyFields is the one table of what a notifier may have. docs/notifications.md is
// checked against it.
var notifyFields = []fieldOf[NotifySettings]{
	notifyLeaf("on", "[failing, held, retrying, lagging, diverged, sink, journal, watch, reload, crash, recovered]", itemOrItems(checkOn), func(s *NotifySettings) *[]Item { return &s.On }),
	notifyLeaf("remotes", "[]", itemOrItems(checkPattern), func(s *NotifySettings) *[]Item { return &s.Remotes }),
	notifyLeaf("after", "5m", duration(0, 30*day), func(s *NotifySettings) *time.Duration { return &s.After }),
	notifyLeaf("repeat", "24h", duration(0, 365*day), func(s *NotifySettings) *time.Duration { return &s.Repeat }),
	notifyLeaf("grace", "1m", duration(0, time.Hour), func(s *NotifySettings) *time.Duration { return &s.Grace }),
	notifyLeaf("max_lag", "10m", duration(0, 365*day), func(s *NotifySettings) *time.Duration { return &s.MaxLag }),
	notifyLeaf("heartbeat", "0", duration(0, 7*day), func(s *NotifySettings) *time.Duration { return &s.Heartbeat }),
	notifyLeaf("fail", "false", scalar(boolean), func(s *NotifySettings) *bool { return &s.Fail }),
	notifyLeaf("language", "en", enum(string(notify.English), string(notify.Chinese)), func(s *NotifySettings) *string { return &s.Language }),
	notifyLeaf("timeout", "30s", duration(time.Second, time.Hour), func(s *NotifySettings) *time.Duration { return &s.Timeout }),
	notifyLeaf("retry.initial", "5s", duration(10*time.Millisecond, day), func(s *NotifySettings) *time.Duration { return &s.Retry.Initial }),
	notifyLeaf("retry.max", "5m", duration(10*time.Millisecond, 7*day), func(s *NotifySettings) *time.Duration { return &s.Retry.Max }),
	notifyLeaf("retry.jitter", "0.5", scalar(fraction), func(s *NotifySettings) *float64 { return &s.Retry.Jitter }),
	notifyLeaf("webhook.url", `""`, scalar(checkURL), func(s *NotifySettings) *string { return &s.Webhook.URL }),
	notifyLeaf("webhook.url_file", `""`, scalar(credentialOr(fileWith("the URL"))), func(s *NotifySettings) *string { return &s.Webhook.URLFile }),
	notifyLeaf("webhook.format", `""`, webhookFormat, func(s *NotifySettings) *string { return &s.Webhook.Format }),
	notifyLeaf("webhook.secret_file", `""`, scalar(credentialOr(fileWith("the secret"))), func(s *NotifySettings) *string { return &s.Webhook.SecretFile }),
	notifyLeaf("webhook.headers", "{}", headerItems, func(s *NotifySettings) *[]Item { return &s.Webhook.Headers }),
	notifyLeaf("webhook.headers_file", `""`, scalar(credentialOr(fileWith("headers"))), func(s *NotifySettings) *string { return &s.Webhook.HeadersFile }),
	notifyLeaf("webhook.ca_file", `""`, scalar(absPath), func(s *NotifySettings) *string { return &s.Webhook.CAFile }),
	notifyLeaf("email.server", `""`, scalar(checkAddress), func(s *NotifySettings) *string { return &s.Email.Server }),
	notifyLeaf("email.tls", `""`, emailTLS, func(s *NotifySettings) *string { return &s.Email.TLS }),
	notifyLeaf("email.from", `""`, scalar(checkMail), func(s *NotifySettings) *string { return &s.Email.From }),
	notifyLeaf("email.to", "[]", itemOrItems(checkRecipient), func(s *NotifySettings) *[]Item { return &s.Email.To }),
	notifyLeaf("email.user", `""`, scalar(checkBody), func(s *NotifySettings) *string { return &s.Email.User }),
	notifyLeaf("email.password_file", `""`, scalar(credentialOr(secretFilePath)), func(s *NotifySettings) *string { return &s.Email.PasswordFile }),
	notifyLeaf("email.auth", "auto", enum("auto", "plain", "login"), func(s *NotifySettings) *string { return &s.Email.Auth }),
	notifyLeaf("email.ca_file", `""`, scalar(absPath), func(s *NotifySettings) *string { return &s.Email.CAFile }),
	notifyLeaf("command", "[]", command, func(s *NotifySettings) *[]Item { return &s.Command }),
}

var notifyTable = newTable(notifyFields)

// NotifyKeys lists every key of a notifier.
func NotifyKeys() []Key { return notifyTable.keys() }

func checkOn(s string) error {
	known := []string{notify.Recovered}
	for _, k := range notify.Kinds {
		known = append(known, string(k))
	}
	if !slices.Contains(known, s) {
		return fmt.Errorf("unknown value %q, known are %s%s", s, orNone(known), didYouMean(s, known))
	}
	return nil
}

func checkPattern(s string) error {
	if _, err := path.Match(s, ""); err != nil || s == "" {
		return fmt.Errorf("%q is not a name or a pattern such as www/* or */nas", s)
	}
	return nil
}

// orEmpty lifts a word to one that need not be there.
func orEmpty(parse parseFunc[string]) parseFunc[string] {
	return func(p *parser, key string, n *yaml.Node) (string, bool) {
		if deref(n).Value == "" && deref(n).Kind == yaml.ScalarNode {
			return "", true
		}
		return parse(p, key, n)
	}
}

var (
	webhookFormat = orEmpty(enum(channel.Formats()...))
	emailTLS      = orEmpty(enum(channel.StartTLS, channel.ImplicitTLS, channel.NoTLS))
)

func checkMail(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return s, checkRecipient(s)
}

func checkRecipient(s string) error {
	if _, err := mail.ParseAddress(s); err != nil {
		return errors.New("is not a mail address such as ops@example.com, or Operations <ops@example.com>")
	}
	return nil
}
