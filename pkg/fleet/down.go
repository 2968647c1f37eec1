package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// Down ends the fleet in a folder and removes everything that Up made. Where there is no fleet it returns an error that
// IsNotFound knows.
func Down(ctx context.Context, dir string, out io.Writer) error {
	f, err := Load(dir)
	if err != nil {
		return err
	}
	s := newSteps(out)
	for _, step := range []struct {
		text string
		work func() error
	}{
		{"ending the processes of fleet " + f.Name, func() error { return f.stopAll(ctx) }},
		{"taking the nodes of fleet " + f.Name + " down", func() error { return f.removeNodes(ctx) }},
		{"removing " + f.Dir, f.remove},
	} {
		if err := s.do(step.text, step.work); err != nil {
			return err
		}
	}
	if failed, err := failedDir(f.Name); err == nil {
		_ = os.RemoveAll(failed)
	}
	return nil
}

// DownCommand is what a person types to end the fleet.
func (f *Fleet) DownCommand() string {
	if dir, err := DefaultDir(f.Name); err != nil || dir != f.Dir {
		return "spillway down --dir " + f.Dir
	}
	if f.Name == DefaultName {
		return "spillway down"
	}
	return "spillway down --name " + f.Name
}

// stopAll ends all processes side by side: the API servers take their 5 seconds once, not in turn.
func (f *Fleet) stopAll(ctx context.Context) error {
	all, err := f.processes()
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, p := range all {
		group.Go(func() error { return p.stop(ctx, syscall.SIGTERM) })
	}
	return group.Wait()
}

// remove deletes the fleet's files, and its folder unless it holds somebody else's. fleet.json goes last, so that an
// interrupted removal can be repeated.
func (f *Fleet) remove() error {
	var errs []error
	for _, name := range f.Clusters() {
		errs = append(errs, os.RemoveAll(filepath.Join(f.Dir, name)), os.RemoveAll(f.Kubeconfig(name)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("removing the fleet's files: %w", err)
	}
	if err := os.Remove(filepath.Join(f.Dir, stateFile)); err != nil {
		return fmt.Errorf("removing the fleet's state: %w", err)
	}
	if err := os.Remove(f.Dir); err != nil && !errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("removing the fleet's folder: %w", err)
	}
	return nil
}

// keepLogs copies all logs to failedDir and returns it.
func (f *Fleet) keepLogs() (string, error) {
	to, err := failedDir(f.Name)
	if err != nil {
		return "", err
	}
	logs, err := filepath.Glob(filepath.Join(f.Dir, "*", "*.log"))
	if err != nil {
		return "", err
	}
	for _, log := range logs {
		cluster := filepath.Join(to, filepath.Base(filepath.Dir(log)))
		if err := os.MkdirAll(cluster, 0o700); err != nil {
			return "", fmt.Errorf("keeping logs: %w", err)
		}
		if err := copyFile(log, filepath.Join(cluster, filepath.Base(log))); err != nil {
			return "", fmt.Errorf("keeping logs: %w", err)
		}
	}
	return to, nil
}

// copyFile copies: --dir may be on another file system, so renaming may not work.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}
