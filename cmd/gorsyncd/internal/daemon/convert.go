package daemon

import (
	"path/filepath"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// treeOptions turns a configured source into what watch needs.
func (d *Daemon) treeOptions(sc config.Source, src patientSource, life watch.Life) watch.Options {
	return watch.Options{
		Root: sc.Path, Filter: sc.Filter, Index: src, Roots: src,
		Settle: sc.Settle, SettleMax: sc.SettleMax, FenceDir: d.fenceDir(sc.Name), Backend: sc.Backend, Group: d.group,
		AttributesLater: sc.Attributes == config.AttributesLater,
		Guard:           watch.GuardOptions{EmptySource: sc.Guard.EmptySource, SameFilesystem: sc.Guard.SameFilesystem},
		Logger:          d.log.With("name", sc.Name),
		Life:            life,
	}
}

// dispatcherOptions turns a configured remote into what replicate needs.
func (d *Daemon) dispatcherOptions(u *unit, rc config.Remote, store patientRemote, life replicate.Life) replicate.Options {
	counts := d.metrics.Remote(u.cfg.Name, rc.Name)
	window, _ := replicate.ParseWindow(config.Texts(rc.Window)) // config has parsed it, too
	return replicate.Options{
		Source: u.cfg.Name, Name: rc.Name, Root: u.cfg.Path, Target: rc.Target,
		RunLock: d.runLock(u.cfg.Name, rc.Name),
		Feed:    u.src, Tree: u.src, Store: store,
		Excluded:   func(path string, isDir bool) bool { return rc.Filter.Match(path, isDir).Excluded },
		FilterArgs: rc.Filter.Args(),
		Workers:    rc.Workers, BatchFiles: rc.Batch.Files, BatchBytes: int64(rc.Batch.Bytes),
		NoEmptyDirs: !rc.EmptyDirs,
		Delete:      deleteMode(rc.Delete), MaxDelete: rc.Guard.MaxDelete,
		Window:   window,
		Rsync:    rsyncOptions(rc, d.sshDir, d.opts.Umask),
		Retry:    replicate.RetryOptions{Initial: rc.Retry.Initial, Max: rc.Retry.Max, Jitter: rc.Retry.Jitter},
		Ready:    u.tree.Ready(),
		Fence:    u.tree.Fence,
		Held:     func() bool { return u.tree.Status().State == watch.StateHeld },
		Scratch:  d.probeDir(u.cfg.Name, rc.Name),
		Slots:    d.slots,
		Clock:    d.journal,
		Observer: replicate.Observers(observer{d.histories.of(u.cfg.FullName(rc))}, counts),
		Meter:    counts,
		Logger:   d.log,
		Life:     life,
	}
}

// maxWarm is how many rsyncs of all remotes together wait for changes.
const maxWarm = 64

// runLock keeps the rsyncs of a killed daemon apart from ours.
func (d *Daemon) runLock(source, remote string) string {
	return filepath.Join(d.config().StateDir, "run", source, remote)
}

func rsyncOptions(rc config.Remote, sshDir string, umask int) replicate.RsyncOptions {
	check := checkSecret
	if _, ok := config.CredentialName(rc.PasswordFile); ok {
		check = checkCredential
	}
	rc.Settings = rc.Located(CredentialsDir())
	return replicate.RsyncOptions{
		Path: rc.Rsync.Path, Args: config.Texts(rc.Rsync.Args),
		Timeout: rc.Rsync.Timeout, ConnectTimeout: rc.Rsync.ConnectTimeout,
		Compress: rc.Rsync.Compress, Fsync: rc.Fsync, BWLimit: rc.BWLimit.Limit(), PasswordFile: rc.PasswordFile,
		CheckPassword: check, Umask: umask, Warm: rc.Warm,
		SSH: replicate.SSHOptions{
			Port: rc.SSH.Port, IdentityFile: rc.SSH.IdentityFile, ConfigFile: rc.SSH.ConfigFile,
			KnownHosts: rc.SSH.KnownHosts, Options: config.Texts(rc.SSH.Options),
			ControlDir: sshDir, RRsync: rc.SSH.RRsync,
		},
		Connect: connectArgv(rc),
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
