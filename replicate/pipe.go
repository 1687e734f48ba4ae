package replicate

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// outPipe carries a child's output to a writer. Its end is the end of the
// child, not that of the pipe: an ssh that stays behind to share its
// connection keeps stderr open for a minute, and exec.Cmd would wait for it.
type outPipe struct {
	r, w *os.File
	to   io.Writer
	done chan struct{}
}

func newOutPipe(to io.Writer) (*outPipe, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &outPipe{r: r, w: w, to: to, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		// Ends with the pipe or with the deadline that finish sets.
		_, _ = io.Copy(p.to, p.r)
	}()
	return p, nil
}

// finish is called when the child has ended: all it wrote is in the pipe by
// now, so what can be read without waiting is all that is due.
func (p *outPipe) finish() {
	p.w.Close()
	// Deadlines work on pipes; an error would only mean that it is closed.
	_ = p.r.SetReadDeadline(time.Unix(1, 0))
	<-p.done
	_ = p.r.SetReadDeadline(time.Time{})
	if raw, err := p.r.SyscallConn(); err == nil {
		buf := make([]byte, 32<<10)
		_ = raw.Read(func(fd uintptr) bool {
			for {
				n, err := syscall.Read(int(fd), buf)
				if errors.Is(err, syscall.EINTR) {
					continue
				}
				if n <= 0 {
					return true
				}
				_, _ = p.to.Write(buf[:n])
			}
		})
	}
	p.r.Close()
}
