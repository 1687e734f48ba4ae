package config

import (
	"time"

	"gorsyncd/watch"
)

// field is one key that may stand in defaults, on a source or on a remote.
type field = fieldOf[Settings]

// leaf ties a key to its place in Settings.
func leaf[T any](path, def string, parse parseFunc[T], at func(*Settings) *T) field {
	return fieldAt(path, path, def, parse, at)
}

func onSource(f field) field {
	f.sourceOnly = true
	return f
}

const (
	day     = 24 * time.Hour
	maxSize = Size(1) << 60
)

// fields is the one table of all settings: what a key is called, what it may
// hold, what it is without being set. docs/config.md is checked against it.
var fields = []field{
	leaf("password_file", `""`, scalar(credentialOr(secretFilePath)), func(s *Settings) *string { return &s.PasswordFile }),
	leaf("ssh.port", "0", integer(0, 65535), func(s *Settings) *int { return &s.SSH.Port }),
	leaf("ssh.identity_file", `""`, scalar(credentialOr(absPath)), func(s *Settings) *string { return &s.SSH.IdentityFile }),
	leaf("ssh.config_file", `""`, scalar(credentialOr(absPath)), func(s *Settings) *string { return &s.SSH.ConfigFile }),
	leaf("ssh.known_hosts", `""`, scalar(credentialOr(absPath)), func(s *Settings) *string { return &s.SSH.KnownHosts }),
	leaf("ssh.options", "[]", items(checkSSHOption), func(s *Settings) *[]Item { return &s.SSH.Options }),
	leaf("ssh.rrsync", "false", scalar(boolean), func(s *Settings) *bool { return &s.SSH.RRsync }),
	leaf("tls.ca_file", `""`, scalar(absPath), func(s *Settings) *string { return &s.TLS.CAFile }),
	leaf("tls.server_name", `""`, scalar(serverName), func(s *Settings) *string { return &s.TLS.ServerName }),
	leaf("tls.cert_file", `""`, scalar(absPath), func(s *Settings) *string { return &s.TLS.CertFile }),
	leaf("tls.key_file", `""`, scalar(absPath), func(s *Settings) *string { return &s.TLS.KeyFile }),
	leaf("workers", "4", integer(1, 64), func(s *Settings) *int { return &s.Workers }),
	leaf("warm", "1", integer(0, 64), func(s *Settings) *int { return &s.Warm }),
	leaf("batch.files", "5000", integer(1, 100_000), func(s *Settings) *int { return &s.Batch.Files }),
	leaf("batch.bytes", "256M", size(1, maxSize), func(s *Settings) *Size { return &s.Batch.Bytes }),
	onSource(leaf("settle", "2ms", duration(0, time.Hour), func(s *Settings) *time.Duration { return &s.Settle })),
	onSource(leaf("settle_max", "1s", duration(0, day), func(s *Settings) *time.Duration { return &s.SettleMax })),
	onSource(leaf("watch.backend", "auto", enum(watch.BackendAuto, watch.BackendInotify, watch.BackendFanotify), func(s *Settings) *watch.Backend { return &s.Watch.Backend })),
	onSource(leaf("attributes", "always", enum(AttributesAlways, AttributesLater), func(s *Settings) *Attributes { return &s.Attributes })),
	leaf("empty_dirs", "true", scalar(boolean), func(s *Settings) *bool { return &s.EmptyDirs }),
	leaf("delete", "tracked", enum(DeleteNone, DeleteTracked, DeleteAll), func(s *Settings) *Delete { return &s.Delete }),
	leaf("fsync", "false", scalar(boolean), func(s *Settings) *bool { return &s.Fsync }),
	leaf("rsync.path", "rsync", scalar(program), func(s *Settings) *string { return &s.Rsync.Path }),
	leaf("rsync.args", "[]", items(CheckRsyncArg), func(s *Settings) *[]Item { return &s.Rsync.Args }),
	leaf("rsync.timeout", "60s", duration(time.Second, day), func(s *Settings) *time.Duration { return &s.Rsync.Timeout }),
	leaf("rsync.connect_timeout", "10s", duration(time.Second, time.Hour), func(s *Settings) *time.Duration { return &s.Rsync.ConnectTimeout }),
	leaf("rsync.compress", "false", scalar(boolean), func(s *Settings) *bool { return &s.Rsync.Compress }),
	leaf("window", "[]", itemOrItems(checkWindow), func(s *Settings) *[]Item { return &s.Window }),
	leaf("bwlimit", "0", bwLimit, func(s *Settings) *BWLimit { return &s.BWLimit }),
	leaf("retry.initial", "1s", duration(10*time.Millisecond, day), func(s *Settings) *time.Duration { return &s.Retry.Initial }),
	leaf("retry.max", "5m", duration(10*time.Millisecond, 7*day), func(s *Settings) *time.Duration { return &s.Retry.Max }),
	leaf("retry.jitter", "0.5", scalar(fraction), func(s *Settings) *float64 { return &s.Retry.Jitter }),
	leaf("full_sync.on_start", "if_needed", enum(IfNeeded, Always, Never), func(s *Settings) *OnStart { return &s.FullSync.OnStart }),
	leaf("full_sync.schedule", `""`, cronSpec, func(s *Settings) *string { return &s.FullSync.Schedule }),
	leaf("verify.schedule", `""`, cronSpec, func(s *Settings) *string { return &s.Verify.Schedule }),
	leaf("verify.checksum", "false", scalar(boolean), func(s *Settings) *bool { return &s.Verify.Checksum }),
	leaf("verify.repair", "false", scalar(boolean), func(s *Settings) *bool { return &s.Verify.Repair }),
	leaf("guard.max_delete", "1000", integer[uint64](0, 1<<62), func(s *Settings) *uint64 { return &s.Guard.MaxDelete }),
	onSource(leaf("guard.empty_source", "true", scalar(boolean), func(s *Settings) *bool { return &s.Guard.EmptySource })),
	onSource(leaf("guard.same_filesystem", "true", scalar(boolean), func(s *Settings) *bool { return &s.Guard.SameFilesystem })),
	leaf("filter", "[]", items(checkRule), func(s *Settings) *[]Item { return &s.Rules }),
	leaf("exclude", "[]", items(checkExclude), func(s *Settings) *[]Item { return &s.Exclude }),
}

var settings = newTable(fields)

// groupNames are the first keys of all settings.
var groupNames = settings.names

// Keys lists every setting.
func Keys() []Key { return settings.keys() }
