package fleet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// NotFoundError says that there is no fleet in Dir.
type NotFoundError struct{ Dir string }

func (e NotFoundError) Error() string { return fmt.Sprintf("there is no fleet in %s", e.Dir) }

// IsNotFound tells whether there was no fleet.
func IsNotFound(err error) bool {
	var e NotFoundError
	return errors.As(err, &e)
}

// ComponentError says that a component ended, or was not ready in time, and where its log is.
type ComponentError struct {
	Cluster, Component string
	Err                error
	// Log is the file, wherever it is now; Tail its last lines.
	Log, Tail string
}

func (e *ComponentError) Error() string {
	return fmt.Sprintf("%s of cluster %s: %v\n  its log is %s and ends with:\n%s",
		e.Component, e.Cluster, e.Err, e.Log, e.Tail)
}

func (e *ComponentError) Unwrap() error { return e.Err }

// IsComponent tells whether a component of a cluster failed.
func IsComponent(err error) bool {
	var e *ComponentError
	return errors.As(err, &e)
}

var (
	errEnded       = errors.New("it ended by itself")
	errInterrupted = errors.New("is still starting, or its start was interrupted")
)

func componentError(p process, err error) error {
	return &ComponentError{Cluster: p.cluster(), Component: p.component(), Err: err, Log: p.log(), Tail: tail(p.log(), 5)}
}

// moveLog tells err, if it is a ComponentError, that logs have moved from one folder to another. Such an error is not wrapped
// on its way to Up: the wrapping text would still name the old place.
func moveLog(err error, from, to string) {
	var e *ComponentError
	if errors.As(err, &e) {
		if rel, relErr := filepath.Rel(from, e.Log); relErr == nil {
			e.Log = filepath.Join(to, rel)
		}
	}
}

// tail returns the last n lines of a file, indented; components log long lines, so each is cut.
func tail(file string, n int) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return "    " + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		lines[i] = "    " + cut(line, 300)
	}
	return strings.Join(lines, "\n")
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
