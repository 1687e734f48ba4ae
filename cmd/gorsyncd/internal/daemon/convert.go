package daemon

import (
	"log/slog"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// treeOptions turns a configured source into what watch needs.
func treeOptions(sc config.Source, src patientSource, fence string, log *slog.Logger) watch.Options {
	return watch.Options{
		Root: sc.Path, Filter: sc.Filter, Index: src, Roots: src,
		Settle: sc.Settle, SettleMax: sc.SettleMax, FenceDir: fence,
		Guard:  watch.GuardOptions{EmptySource: sc.Guard.EmptySource, SameFilesystem: sc.Guard.SameFilesystem},
		Logger: log,
	}
}

// dispatcherOptions turns a configured remote into what replicate needs.
func dispatcherOptions(u *unit, rc config.Remote, store patientRemote, sshDir string, log *slog.Logger) replicate.Options {
	return replicate.Options{
		Source: u.cfg.Name, Name: rc.Name, Root: u.cfg.Path, Target: rc.Target,
		Feed: u.src, Tree: u.src, Store: store,
		Excluded:   func(path string, isDir bool) bool { return rc.Filter.Match(path, isDir).Excluded },
		FilterArgs: rc.Filter.Args(),
		Workers:    rc.Workers, BatchFiles: rc.Batch.Files, BatchBytes: int64(rc.Batch.Bytes),
		Delete: deleteMode(rc.Delete), MaxDelete: rc.Guard.MaxDelete,
		Rsync:  rsyncOptions(rc, sshDir),
		Retry:  replicate.RetryOptions{Initial: rc.Retry.Initial, Max: rc.Retry.Max, Jitter: rc.Retry.Jitter},
		Ready:  u.tree.Ready(),
		Held:   func() bool { return u.tree.Status().State == watch.StateHeld },
		Logger: log,
	}
}

func rsyncOptions(rc config.Remote, sshDir string) replicate.RsyncOptions {
	return replicate.RsyncOptions{
		Path: rc.Rsync.Path, Args: config.Texts(rc.Rsync.Args),
		Timeout: rc.Rsync.Timeout, ConnectTimeout: rc.Rsync.ConnectTimeout,
		Compress: rc.Rsync.Compress, BWLimit: rc.BWLimitArg(), PasswordFile: rc.PasswordFile,
		SSH: replicate.SSHOptions{
			Port: rc.SSH.Port, IdentityFile: rc.SSH.IdentityFile, ConfigFile: rc.SSH.ConfigFile,
			KnownHosts: rc.SSH.KnownHosts, Options: config.Texts(rc.SSH.Options),
			ControlDir: sshDir,
		},
	}
}

func deleteMode(m config.Delete) replicate.DeleteMode {
	switch m {
	case config.DeleteNone:
		return replicate.DeleteNone
	case config.DeleteAll:
		return replicate.DeleteAll
	}
	return replicate.DeleteTracked
}
