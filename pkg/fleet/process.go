package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stopGrace is how long a process may take to end by itself. kube-apiserver takes up to a minute while watches are open.
const stopGrace = 5 * time.Second

// process is one component of one cluster, as its file in the cluster's folder describes it. The file outlives the
// process, so that it can be started again with the same flags.
type process struct {
	PID     int      `json:"pid"`
	Started string   `json:"started"` // see identity
	Path    string   `json:"path"`
	Args    []string `json:"args"`

	file string
}

// newProcess describes a process; dir is its cluster's folder.
func newProcess(dir, component, path string, args []string) process {
	return process{Path: path, Args: args, file: filepath.Join(dir, component+".json")}
}

func loadProcess(file string) (process, error) {
	p := process{file: file}
	data, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("reading %s: %w", file, err)
	}
	return p, nil
}

// loadProcesses returns all processes that were ever started for the cluster with this folder.
func loadProcesses(dir string) ([]process, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []process
	for _, file := range files {
		p, err := loadProcess(file)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// start runs the process in a session of its own, so that it outlives us and does not get our terminal's Ctrl-C.
func (p process) start() (process, error) {
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return p, fmt.Errorf("opening a log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Dir(p.file), log, log
	// HOME is the cluster's folder: kwok, kubectl and client-go would else read the user's own configuration.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "TMPDIR=" + os.TempDir()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return p, fmt.Errorf("starting %s: %w", p.component(), err)
	}
	p.PID, p.Started = cmd.Process.Pid, identity(cmd.Process.Pid)
	go func() { _ = cmd.Wait() }() // A test that starts and stops processes would else collect zombies.
	return p, writeJSON(p.file, p)
}

// stop sends sig, waits, and after stopGrace kills. A process that has ended, or whose id another one has now, is left
// alone.
func (p process) stop(ctx context.Context, sig syscall.Signal) error {
	for _, sig := range []syscall.Signal{sig, syscall.SIGKILL} {
		if !p.alive() {
			return nil
		}
		if err := syscall.Kill(p.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("ending %s (process %d): %w", p.component(), p.PID, err)
		}
		gone := func(context.Context) error {
			if p.alive() {
				return fmt.Errorf("%s (process %d) is still running", p.component(), p.PID)
			}
			return nil
		}
		if err := poll(ctx, stopGrace, gone); err != nil && (sig == syscall.SIGKILL || ctx.Err() != nil) {
			return err
		}
	}
	return nil
}

func (p process) alive() bool { return p.PID != 0 && p.Started != "" && identity(p.PID) == p.Started }

func (p process) component() string { return strings.TrimSuffix(filepath.Base(p.file), ".json") }
func (p process) cluster() string   { return filepath.Base(filepath.Dir(p.file)) }
func (p process) log() string       { return strings.TrimSuffix(p.file, ".json") + ".log" }

// writeJSON replaces a file as a whole, so that nobody ever reads half of it.
func writeJSON(file string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	if err := os.WriteFile(file+".tmp", append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return os.Rename(file+".tmp", file)
}
