package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	markBegin   = "•"
	markGood    = "✓"
	markBad     = "✗"
	markStopped = "-" // because another step failed, or the user pressed Ctrl-C

	spinInterval = 100 * time.Millisecond
	spinWidth    = 78
)

var spinFrames = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// steps says what is being done: on a terminal a spinner with what runs now, elsewhere a line when a step begins; in both
// a line with the time it took when it ends. Steps may run side by side.
type steps struct {
	out  io.Writer
	spin bool

	mu      sync.Mutex
	running []string
	frame   int
	quit    chan struct{}
}

func newSteps(out io.Writer) *steps {
	f, ok := out.(*os.File)
	return &steps{out: out, spin: ok && term.IsTerminal(int(f.Fd()))}
}

// do runs work as one step.
func (s *steps) do(text string, work func() error) error {
	s.begin(text)
	start := time.Now()
	err := work()
	s.end(text, time.Since(start), err)
	return err
}

// say prints a line that is not a step.
func (s *steps) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line(fmt.Sprintf(format, args...))
}

func (s *steps) begin(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = append(s.running, text)
	if !s.spin {
		s.line(markBegin + " " + text)
		return
	}
	if s.quit == nil {
		s.quit = make(chan struct{})
		go s.animate(s.quit)
	}
}

func (s *steps) end(text string, took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.running {
		if other == text {
			s.running = append(s.running[:i], s.running[i+1:]...)
			break
		}
	}
	s.line(fmt.Sprintf("%s %s (%s)", mark(err), text, round(took)))
	if len(s.running) == 0 && s.quit != nil {
		close(s.quit)
		s.quit = nil
	}
}

func mark(err error) string {
	switch {
	case err == nil:
		return markGood
	case errors.Is(err, context.Canceled):
		return markStopped
	default:
		return markBad
	}
}

// line prints over the spinner, which the next frame draws again below it.
func (s *steps) line(text string) {
	if s.spin {
		text = "\r\x1b[K" + text
	}
	_, _ = fmt.Fprintln(s.out, text)
}

func (s *steps) animate(quit chan struct{}) {
	tick := time.NewTicker(spinInterval)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		if s.quit == quit && len(s.running) > 0 {
			s.frame = (s.frame + 1) % len(spinFrames)
			_, _ = fmt.Fprintf(s.out, "\r\x1b[K%s", cut(string(spinFrames[s.frame])+" "+strings.Join(s.running, ", "), spinWidth))
		}
		s.mu.Unlock()
	}
}

// round keeps one digit of seconds, and none of minutes.
func round(d time.Duration) time.Duration {
	if d > time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(100 * time.Millisecond)
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
