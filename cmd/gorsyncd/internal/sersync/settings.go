package sersync

// document is the YAML as it is written. Its keys are those of package config.
type document struct {
	Log      *logSettings `yaml:"log,omitempty"`
	Sources  []*source    `yaml:"sources"`
	Defaults *settings    `yaml:"defaults,omitempty"`
}

type logSettings struct {
	Level string `yaml:"level"`
}

type source struct {
	Name     string `yaml:"name,omitempty"`
	Path     string `yaml:"path"`
	settings `yaml:",inline"`
	Remotes  []any `yaml:"remotes"` // a target, or a named one
}

type named struct {
	Name   string `yaml:"name"`
	Target string `yaml:"target"`
}

// settings are what sersync has for all localpaths of a file.
type settings struct {
	PasswordFile string         `yaml:"password_file,omitempty"`
	SSH          *sshSettings   `yaml:"ssh,omitempty"`
	Delete       string         `yaml:"delete,omitempty"`
	Filter       []string       `yaml:"filter,omitempty"`
	Exclude      []string       `yaml:"exclude,omitempty"`
	Rsync        *rsyncSettings `yaml:"rsync,omitempty"`
	BWLimit      string         `yaml:"bwlimit,omitempty"`
	FullSync     *fullSync      `yaml:"full_sync,omitempty"`
}

type sshSettings struct {
	Port         int      `yaml:"port,omitempty"`
	IdentityFile string   `yaml:"identity_file,omitempty"`
	ConfigFile   string   `yaml:"config_file,omitempty"`
	Options      []string `yaml:"options,omitempty"`
}

type rsyncSettings struct {
	Args     []string `yaml:"args,omitempty"`
	Timeout  string   `yaml:"timeout,omitempty"`
	Compress bool     `yaml:"compress,omitempty"`
}

type fullSync struct {
	Schedule string `yaml:"schedule"`
}

func (s *settings) rsync() *rsyncSettings {
	if s.Rsync == nil {
		s.Rsync = &rsyncSettings{}
	}
	return s.Rsync
}

func (s *settings) ssh() *sshSettings {
	if s.SSH == nil {
		s.SSH = &sshSettings{}
	}
	return s.SSH
}
