package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Notify is one receiver of notifications, or of heartbeats.
type Notify struct {
	Name string
	Kind string // the format of a webhook, email, or command
	NotifySettings

	Pos     Pos
	origins map[string]Pos
}

// NotifySettings are the keys of a notifier. The YAML key of each is in
// notify_fields.go, with its default.
type NotifySettings struct {
	On        []Item // kinds of conditions, and recovered
	Remotes   []Item // patterns; none for all
	After     time.Duration
	Repeat    time.Duration // 0 for never
	Grace     time.Duration
	MaxLag    time.Duration // 0 for any
	Heartbeat time.Duration // 0 for one that tells of trouble
	Fail      bool
	Language  string
	Timeout   time.Duration
	Retry     Retry
	Webhook   Webhook
	Email     Email
	Command   []Item
}

// Webhook is where messages are posted.
type Webhook struct {
	URL         string // a secret as a rule
	URLFile     string
	Format      string
	SecretFile  string
	Headers     []Item
	HeadersFile string
	CAFile      string
}

// Email is how mails are sent.
type Email struct {
	Server       string
	TLS          string
	From         string
	To           []Item
	User         string
	PasswordFile string
	Auth         string
	CAFile       string
}

// secrets are the settings that may ask for a credential.
func (n *NotifySettings) secrets() map[string]*string {
	return map[string]*string{"webhook.url_file": &n.Webhook.URLFile, "webhook.secret_file": &n.Webhook.SecretFile,
		"webhook.headers_file": &n.Webhook.HeadersFile, "email.password_file": &n.Email.PasswordFile}
}

// Located returns the notifier with the paths of credentials in dir in place of their
// names.
func (n Notify) Located(dir string) Notify {
	for _, v := range n.secrets() {
		if name, ok := CredentialName(*v); ok {
			*v = filepath.Join(dir, name)
		}
	}
	return n
}

// Credentials are the names that it asks for, in order.
func (n Notify) Credentials() []string {
	var list []string
	for _, v := range n.secrets() {
		if name, ok := CredentialName(*v); ok {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// Same tells whether two notifiers are configured alike. Where a value stands in the
// file does not matter.
func (n Notify) Same(o Notify) bool {
	return n.Name == o.Name && n.Kind == o.Kind && notifyTable.same(&n.NotifySettings, &o.NotifySettings)
}

// String is for messages.
func (n Notify) String() string { return fmt.Sprintf("%s (%s)", n.Name, n.Kind) }
