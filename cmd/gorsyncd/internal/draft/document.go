package draft

// Document is the YAML as it is written. Its keys are those of package config.
type Document struct {
	Log      *LogSettings `yaml:"log,omitempty"`
	Sources  []*Source    `yaml:"sources"`
	Defaults *Settings    `yaml:"defaults,omitempty"`
}

// LogSettings are those of log.
type LogSettings struct {
	Level string `yaml:"level"`
}

// Source is one of sources. Write gives it a name if it needs one.
type Source struct {
	Name     string `yaml:"name,omitempty"`
	Path     string `yaml:"path"`
	Settings `yaml:",inline"`
	Remotes  []any   `yaml:"remotes,omitempty"` // each a string, its target, or a *Named
	Sinks    []*Sink `yaml:"sinks,omitempty"`
}

// Sink is one of sinks, with the keys that an import sets.
type Sink struct {
	Name    string   `yaml:"name"`
	When    string   `yaml:"when,omitempty"`
	Match   []string `yaml:"match,omitempty"`
	Ops     []string `yaml:"ops,omitempty"`
	Format  string   `yaml:"format,omitempty"`
	Command []string `yaml:"command,omitempty"`
	TCP     string   `yaml:"tcp,omitempty"`
	HTTP    string   `yaml:"http,omitempty"`
	CDN     *CDN     `yaml:"cdn,omitempty"`
}

// CDN is the key cdn of a sink.
type CDN struct {
	Site         string `yaml:"site"`
	Preset       string `yaml:"preset"`
	URL          string `yaml:"url"`
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
}

// Named is a remote that has more than a target.
type Named struct {
	Name     string `yaml:"name,omitempty"`
	Target   string `yaml:"target"`
	Settings `yaml:",inline"`
}

// Settings are what may stand on sources, remotes or in defaults.
type Settings struct {
	PasswordFile string         `yaml:"password_file,omitempty"`
	SSH          *SSHSettings   `yaml:"ssh,omitempty"`
	Workers      int            `yaml:"workers,omitempty"`
	Delete       string         `yaml:"delete,omitempty"`
	Filter       []string       `yaml:"filter,omitempty"`
	Exclude      []string       `yaml:"exclude,omitempty"`
	Rsync        *RsyncSettings `yaml:"rsync,omitempty"`
	BWLimit      string         `yaml:"bwlimit,omitempty"`
	FullSync     *FullSync      `yaml:"full_sync,omitempty"`
}

// SSHSettings are those of ssh.
type SSHSettings struct {
	Port         int      `yaml:"port,omitempty"`
	IdentityFile string   `yaml:"identity_file,omitempty"`
	ConfigFile   string   `yaml:"config_file,omitempty"`
	Options      []string `yaml:"options,omitempty"`
}

// RsyncSettings are those of rsync.
type RsyncSettings struct {
	Path     string   `yaml:"path,omitempty"`
	Args     []string `yaml:"args,omitempty"`
	Timeout  string   `yaml:"timeout,omitempty"`
	Compress bool     `yaml:"compress,omitempty"`
}

// FullSync are the settings of full_sync.
type FullSync struct {
	Schedule string `yaml:"schedule,omitempty"`
}

// NeedRsync returns the settings of rsync, made if need be.
func (s *Settings) NeedRsync() *RsyncSettings {
	if s.Rsync == nil {
		s.Rsync = &RsyncSettings{}
	}
	return s.Rsync
}

// NeedSSH is NeedRsync for ssh.
func (s *Settings) NeedSSH() *SSHSettings {
	if s.SSH == nil {
		s.SSH = &SSHSettings{}
	}
	return s.SSH
}
