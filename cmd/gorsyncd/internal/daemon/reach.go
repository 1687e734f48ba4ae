package daemon

import (
	"context"

	"gorsyncd/cmd/gorsyncd/internal/config"
	"gorsyncd/replicate"
)

// Reach asks a configured remote whether it would take what is sent, the way the
// daemon would; see replicate.Reach.
func Reach(ctx context.Context, rc config.Remote) replicate.Reached {
	return replicate.Reach(ctx, rc.Target, rsyncOptions(rc, "", 0))
}
