//go:build race

package journal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

var programs string // directory of what was built; "" for none

// judgeProgram is these tests built without the race detector: what judges damaged
// files is started some hundreds of times, one after the other in each of four
// places, and shares nothing with anybody.
var judgeProgram = sync.OnceValues(func() (exe string, err error) {
	if programs, err = os.MkdirTemp("", "gorsyncd-judge-"); err != nil {
		return "", err
	}
	exe = filepath.Join(programs, "judge")
	if out, err := exec.Command("go", "test", "-c", "-o", exe, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the judge: %w: %s", err, out)
	}
	return exe, nil
})

func removePrograms() {
	if programs != "" {
		os.RemoveAll(programs)
	}
}
